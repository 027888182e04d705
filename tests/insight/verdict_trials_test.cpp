// Verdicts whose advice is tried before it is given.

#include "curves.hpp"

namespace thalweg {
namespace {

using enum VerdictKind;

/// Trials whose result is a function of the rate: `onward` from the end of the run, where the loss is 1, or `afresh`.
Trials trials_with(const Curve& onward, const Curve& afresh = {}, std::vector<double> norms = {1, 1}) {
  return {
      .steps = 10, .now = [] { return 1.0; }, .onward = onward, .afresh = afresh, .norms = [norms] { return norms; }};
}

/// Better up to three times the rate of 0.1, and no better beyond.
double falls_to_three_tenths(double lr) { return std::max(1 - lr, 0.68); }

TEST(Verdict, IsCrawlingIfATrialWithThreeTimesTheRateIsBetter) {
  const History history = steps_of(500, line(2.3, 1.9), 0.02);  // the rate is 0.1
  const Trials better = trials_with(falls_to_three_tenths);
  const Verdict verdict = judge(history, {.trials = &better});
  EXPECT_EQ(verdict.kind, crawling);
  EXPECT_EQ(verdict.tried.size(), 2U);
  EXPECT_EQ(verdict.advice.find("Raise lr threefold, to 0.3"), 0U) << verdict.advice;

  const Trials worse = trials_with([](double lr) { return lr > 0.2 ? 5 : 1 - lr; });
  const Verdict other = judge(history, {.trials = &worse});
  EXPECT_EQ(other.kind, still_falling) << other.sentence;
  EXPECT_EQ(other.advice.find("Raise"), std::string::npos) << other.advice;
}

/// If an early epoch was restored, the training loss falls again from there, which does not show that more epochs help.
TEST(Verdict, MoreEpochsAreNotAdvisedIfAnEarlyOneWasKept) {
  auto history = steps_of(500, decay(3));
  add_epochs(history, 20, decay(3), decay(3), 0.01);
  int calls = 0;
  const Trials falls = trials_with([&](double) { return ++calls, 0.5; });
  const auto verdict_of = [&](std::int64_t best) {
    history.best_epoch = best;
    calls = 0;
    return judge(history, {.trials = &falls});
  };
  const Verdict early = verdict_of(8);
  ASSERT_EQ(early.kind, still_falling) << early.sentence;
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(early.tried.empty());
  EXPECT_NE(early.advice.find("Epoch 8 of 20"), std::string::npos) << early.advice;
  EXPECT_NE(verdict_of(18).tried.at(0).find("Continued from epoch 18, which was kept,"), std::string::npos);
  history.best_restored = false;
  EXPECT_NE(verdict_of(8).tried.at(0).find("Continued from the end"), std::string::npos);
  history.best_restored = true;
  EXPECT_NE(verdict_of(20).tried.at(0).find("Continued from the end"), std::string::npos);
  EXPECT_EQ(calls, 1);
}

TEST(Verdict, AThirdOfTheRateIsAdvisedIfATrialWithItFalls) {
  auto history = steps_of(40, [](double t) { return 2 + 1000 * t; });
  const Curve none = [](double) { return 1.0; };
  const auto verdict_of = [&](double highest) {
    const Trials trials =
        trials_with(none, [=](double lr) { return lr < highest ? 1 : std::numeric_limits<double>::infinity(); });
    return judge(history, {.failure = "[train] step 41: the loss is 2.5e34", .failed_step = 41, .trials = &trials});
  };
  EXPECT_EQ(verdict_of(0.05).kind, diverged);
  EXPECT_NE(verdict_of(0.05).advice.find("Lower lr to 0.0333: in a trial"), std::string::npos)
      << verdict_of(0.05).advice;
  EXPECT_NE(verdict_of(0.02).advice.find("Lower lr to 0.00123: in a trial"), std::string::npos)
      << verdict_of(0.02).advice;
  EXPECT_NE(verdict_of(0.001).advice.find("Lower lr far below 0.00123, "), std::string::npos);
  // a third that is better, and not yet below the constant, leads to a ninth
  const Trials better = trials_with(none, [](double lr) { return lr < 0.02 ? 0.5 : 1.5; });
  const Verdict ninth = judge(
      history,
      {.constant_training = 1, .failure = "[train] step 41: the loss is 2.5e34", .failed_step = 41, .trials = &better});
  EXPECT_NE(ninth.advice.find("Lower lr to 0.0111: in a trial"), std::string::npos) << ninth.advice;
  // the evidence is the message of the error: the same step, the same number
  EXPECT_EQ(verdict_of(0.05).evidence.front().sentence, "[train] step 41: the loss is 2.5e34");
  EXPECT_EQ(value_of(verdict_of(0.05), "step"), 41);
  const Verdict hinted = judge(history, {.failure = "[train] step 41: the loss is inf. Hint: a lower lr."});
  EXPECT_EQ(hinted.evidence.front().sentence, "[train] step 41: the loss is inf") << "the verdict has its own advice";
}

TEST(Verdict, LayersWithoutAGradientAreDead) {
  auto history = steps_of(500, line(1, 1), 0.1);
  Trials dead = trials_with([](double) { return 1.0; }, {}, {0, 0, 0.3});
  dead.norms_at_start = dead.norms;
  const Verdict verdict = judge(history, {.constant_training = 1, .trials = &dead});
  EXPECT_EQ(verdict.kind, dead_gradients);
  EXPECT_EQ(value_of(verdict, "dead_layers"), 2);
}

/// If dead layers had a gradient at the start, the training killed them, so the rate is too high.
TEST(Verdict, LayersThatDiedDuringTrainingAreUnstable) {
  auto history = steps_of(500, line(1, 1), 0.1);
  Trials dead = trials_with([](double) { return 1.0; }, [](double lr) { return lr; }, {0, 0, 0.3});
  dead.norms_at_start = [] { return std::vector{0.1, 0.2, 0.3}; };
  const Verdict verdict = judge(history, {.constant_training = 1, .trials = &dead});
  EXPECT_EQ(verdict.kind, unstable) << verdict.sentence;
  EXPECT_NE(verdict.sentence.find("died during training"), std::string::npos) << verdict.sentence;
  EXPECT_EQ(value_of(verdict, "dead_layers"), 2);
}

/// A single outlier may blow up a run in which there is nothing to learn. Then a lower rate learns nothing either.
TEST(Verdict, ABlowUpWithNothingToLearnIsNotBlamedOnTheRate) {
  const Curve spike = [](double t) { return t < 0.2 ? 1 + 20 * t : t < 0.4 ? 9 - 20 * t : 0.6; };
  const auto history = steps_of(500, spike);
  const Trials nothing = trials_with([](double) { return 1.0; }, [](double) { return 0.99; });
  const Trials lower = trials_with([](double) { return 1.0; }, [](double) { return 0.2; });
  EXPECT_EQ(judge(history, {.constant_training = 0.6, .trials = &nothing}).kind, learned_nothing);
  EXPECT_EQ(judge(history, {.constant_training = 0.6, .trials = &lower}).kind, unstable);
}

TEST(Verdict, AValidationLossThatJumpsIsUnstable) {
  auto history = steps_of(1000, decay(20), 0.01);
  add_epochs(
      history, 20, decay(20), [](double t) { return std::fmod(t * 19, 2) < 0.5 ? 0.7 : 0.5; }, 0);
  const Trials settles = trials_with([](double lr) { return lr; });
  const Verdict verdict = judge(history, {.trials = &settles});
  EXPECT_EQ(verdict.kind, unstable) << verdict.sentence;
  EXPECT_EQ(verdict.tried.size(), 2U);
  EXPECT_NE(verdict.advice.find("0.0333"), std::string::npos) << verdict.advice;
}

/// If a third of the rate does no better, the jumps are caused by the rows and not by the rate.
TEST(Verdict, AValidationLossThatJumpsAtALowerRateTooIsNotUnstable) {
  auto history = steps_of(1000, decay(20), 0.01);
  add_epochs(
      history, 20, decay(20), [](double t) { return std::fmod(t * 19, 2) < 0.5 ? 0.7 : 0.5; }, 0);
  const Trials same = trials_with([](double) { return 0.5; });
  EXPECT_NE(judge(history, {.trials = &same}).kind, unstable);
}

/// The loss ends far above its minimum, and a trial with a lower rate decreases it.
TEST(Verdict, ARunThatEndsOnAJumpIsUnstable) {
  auto history = steps_of(1000, decay(20), 0.01);
  add_epochs(
      history, 20, [](double t) { return t > 0.99 ? 0.6 : 0.5; }, [](double t) { return t > 0.99 ? 0.8 : 0.5; }, 0);
  const Trials settles = trials_with([](double lr) { return lr; });
  EXPECT_EQ(judge(history, {.trials = &settles}).kind, unstable);
}

/// Trials start from the epoch that was kept, and their text says so.
TEST(Verdict, TrialsNameTheirStart) {
  auto history = steps_of(500, line(2.3, 1.9), 0.02);
  add_epochs(history, 10, line(2.3, 1.9), line(2.3, 1.9), 0);
  history.best_epoch = 8;
  const auto along = [](double lr) { return LineSearch{.rows = 32, .lr = 16 * lr, .before = 1, .after = 0.5}; };
  Trials better = trials_with(falls_to_three_tenths);
  better.along = along;
  const Verdict verdict = judge(history, {.trials = &better});
  ASSERT_EQ(verdict.kind, crawling) << verdict.sentence;
  ASSERT_EQ(verdict.tried.size(), 3U);
  EXPECT_EQ(verdict.tried[0].find("Continued from epoch 8, which was kept, with lr = 0.1"), 0U) << verdict.tried[0];
  EXPECT_NE(verdict.tried[2].find("at 1.6 times the gradient; lr is 0.1"), std::string::npos);
}

/// A trial from the start is compared with the initial loss of the same rows, not with that of the first batch.
TEST(Verdict, ATrialFromTheStartIsComparedWithTheInitialLossOfItsRows) {
  auto history = steps_of(40, [](double t) { return 0.1 + 1000 * t; });
  Trials trials = trials_with([](double) { return 1.0; }, [](double) { return 0.3; });
  trials.at_start = [] { return 0.5; };
  const Verdict verdict = judge(history, {.trials = &trials});
  ASSERT_EQ(verdict.kind, diverged) << verdict.sentence;
  EXPECT_NE(verdict.tried.at(0).find("from 0.5 to 0.3"), std::string::npos) << verdict.tried.at(0);
  EXPECT_NE(verdict.advice.find("Lower lr to 0.0333"), std::string::npos) << verdict.advice;
}

/// A trial with a third of the rate that gives the same loss is not better; this must also hold for negative losses.
TEST(Verdict, ANegativeLossThatALowerRateDoesNotImproveIsNotUnstable) {
  const auto lower = [](const Curve& curve) { return [=](double t) { return curve(t) - 1; }; };
  auto history = steps_of(1000, lower(decay(20)), 0.01);
  add_epochs(
      history, 20, lower(decay(20)), [](double t) { return std::fmod(t * 19, 2) < 0.5 ? -0.2 : -0.5; }, 0);
  const Trials same = trials_with([](double) { return -0.9; });
  EXPECT_NE(judge(history, {.trials = &same}).kind, unstable);
  const Trials settles = trials_with([](double lr) { return lr < 0.05 ? -0.99 : -0.9; });
  EXPECT_EQ(judge(history, {.trials = &settles}).kind, unstable);
}

/// Where the loss hardly moved in too few epochs to see a trend, lower rates and then higher ones are tried.
TEST(Verdict, NothingLearnedAtARateFarTooLowAdvisesAHigherOne) {
  auto still = steps_of(60, line(1, 1));
  add_epochs(still, 3, line(1, 1), line(1.02, 1.02));
  const Trials trials = trials_with([](double) { return 1.0; }, [](double lr) { return lr > 5 ? 0.5 : 1.0; });
  const Verdict verdict = judge(still, {.constant_training = 1, .constant_validation = 1.02, .trials = &trials});
  EXPECT_EQ(verdict.kind, crawling) << verdict.sentence;
  EXPECT_EQ(verdict.advice, "Raise lr to 100: in a trial the loss fell with it.");
  const Trials none = trials_with([](double) { return 1.0; }, [](double) { return 1.0; });
  const Verdict nothing = judge(still, {.constant_training = 1, .constant_validation = 1.02, .trials = &none});
  EXPECT_EQ(nothing.kind, learned_nothing) << nothing.sentence;
  EXPECT_EQ(nothing.advice.find("Check the data first"), 0U) << nothing.advice;
}

/// If the loss falls steadily but very slowly, the rate may be too low.
TEST(Verdict, NothingLearnedAtALowRateAdvisesAHigherOne) {
  const Trials better = trials_with(falls_to_three_tenths, [](double) { return 1.0; });
  auto slow = steps_of(500, line(1, 0.998));
  add_epochs(slow, 20, line(1, 0.998), line(1.02, 1.018));
  const Verdict at = judge(slow, {.constant_training = 1, .constant_validation = 1.02, .trials = &better});
  EXPECT_EQ(at.kind, learned_nothing);
  EXPECT_EQ(at.advice.find("Raise lr threefold, to 0.3"), 0U) << at.advice;
  EXPECT_EQ(at.advice.find(at.rate_advice + " If it still"), 0U) << at.rate_advice;
  const Verdict above = judge(slow, {.constant_training = 0.2, .constant_validation = 0.2, .trials = &better});
  EXPECT_EQ(above.kind, crawling) << above.sentence;
  const Trials same = trials_with([](double) { return 1.0; }, [](double) { return 1.0; });
  const Verdict none = judge(slow, {.constant_training = 1, .constant_validation = 1.02, .trials = &same});
  EXPECT_EQ(none.advice.find("Check the data first"), 0U) << none.advice;
  EXPECT_EQ(none.rate_advice, "");
}

/// The run ends at the loss of the constant, and a trial with a lower rate is better at once.
TEST(Verdict, NothingLearnedAtAHighRateAdvisesALowerOne) {
  auto dead = steps_of(500, line(1, 1), 0.1);
  add_epochs(dead, 20, line(1, 1), line(1, 1), 0.01);
  Trials lower = trials_with([](double) { return 1.0; }, [](double lr) { return lr > 0.02 ? 1.0 : 0.5; });
  lower.at_start = [] { return 1.0; };
  const Verdict verdict = judge(dead, {.constant_training = 1, .constant_validation = 1, .trials = &lower});
  EXPECT_EQ(verdict.kind, learned_nothing);
  EXPECT_EQ(verdict.advice.find("Lower lr to 0.0111: in a trial"), 0U) << verdict.advice;
}

}  // namespace
}  // namespace thalweg
