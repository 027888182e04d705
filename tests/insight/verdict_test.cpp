#include "insight/verdict.hpp"

#include "curves.hpp"

namespace thalweg {
namespace {

using enum VerdictKind;

TEST(Verdict, ALossThatIsNotANumberDiverged) {
  auto history = steps_of(100, decay(5));
  history.steps[60].loss = std::numeric_limits<double>::quiet_NaN();
  const Verdict verdict = judge(history);
  EXPECT_EQ(verdict.kind, diverged);
  EXPECT_EQ(value_of(verdict, "step"), 61);
}

TEST(Verdict, LossesOfSeveralObjectivesAreNotJudged) {
  auto history = steps_of(200, [](double t) { return 0.1 + 3 * t; });  // with one objective: diverged
  ASSERT_EQ(judge(history).kind, diverged);
  history.layers = {"d/first", "g/last"};
  for (StepReport& step : history.steps) step.layer_norms = {1e-9, 1};  // with one objective: vanishing gradients
  for (int epoch : {1, 2})
    history.epochs.push_back(
        {.epoch = epoch, .metrics = {{"loss", 1}, {"d.loss", 3. * epoch}, {"g.loss", 1}, {"part.loss", 1}}});
  const Verdict verdict = judge(history, {.objectives = {"d", "g"}});
  EXPECT_EQ(verdict.kind, not_judged);
  EXPECT_NE(verdict.sentence.find("2 objectives"), std::string::npos);
  ASSERT_EQ(verdict.evidence.size(), 2U);
  EXPECT_EQ(verdict.evidence[0].sentence, "d.loss was 3 over the first epoch and 6 over the last.");
  history.steps[60].loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(judge(history, {.objectives = {"d", "g"}}).kind, diverged);
}

TEST(Verdict, ALossThatRisesFarAboveItsMinimumDiverged) {
  EXPECT_EQ(judge(steps_of(200, [](double t) { return 2 * std::exp(-8 * t) + 0.01 * std::exp(8 * t); })).kind,
            diverged);
  EXPECT_EQ(judge(steps_of(200, [](double t) { return std::exp(30 * t); })).kind, diverged);
}

TEST(Verdict, ARunDivergedIfItLosesMoreThanHalfOfItsGain) {
  // the loss falls from 2 to 1 and rises to `end`; the margin is 0.05 * 2
  const auto ends_at = [](double end) {
    return steps_of(2000, [=](double t) { return t < 0.5 ? 2 - 2 * t : 1 + (end - 1) * std::min(1.0, 4 * (t - 0.5)); });
  };
  EXPECT_EQ(judge(ends_at(1.7)).kind, diverged);
  EXPECT_NE(judge(ends_at(1.5)).kind, diverged);
}

TEST(Verdict, NoisyRunsWithoutATrendDidNotDiverge) {
  EXPECT_NE(judge(steps_of(15, line(1, 1), 0.3)).kind, diverged);
  EXPECT_NE(judge(steps_of(5000, line(1, 1), 1)).kind, diverged);
}

TEST(Verdict, ValidationThatRisesWhileTrainingFallsIsOverfitting) {
  auto history = steps_of(1000, decay(5), 0.05);
  add_epochs(
      history, 20, decay(5), [](double t) { return 0.5 + 2 * (t - 0.4) * (t - 0.4); }, 0.005);
  const Verdict verdict = judge(history);
  EXPECT_EQ(verdict.kind, overfitting);
  EXPECT_NEAR(value_of(verdict, "best_epoch"), 9, 2);
  EXPECT_GT(value_of(verdict, "validation_rise"), 0.05);
}

TEST(Verdict, ARiseOfValidationWithinItsNoiseIsNotOverfitting) {
  auto history = steps_of(1000, decay(8), 0.05);
  add_epochs(history, 20, decay(16), decay(16, 0.5), 0.02);
  EXPECT_EQ(judge(history).kind, converged);
}

TEST(Verdict, OverfittingNamesTheEpochAndTheOneThatWasKept) {
  auto history = steps_of(1000, decay(6));
  add_epochs(history, 10, decay(6), [](double t) { return t < 0.5 ? 1.5 - t : 0.5 + t; });
  EXPECT_EQ(judge(history).sentence, "Overfits from epoch 5: kept epoch 10.");
  EXPECT_EQ(judge(history).advice.rfind("Keep the best epoch", 0), 0U);
  history.best_epoch = 5;
  EXPECT_EQ(judge(history).sentence, "Overfits from epoch 5: kept epoch 5.");
  EXPECT_EQ(judge(history).advice.rfind("The best epoch was kept", 0), 0U);
  history.best_restored = false;
  EXPECT_EQ(judge(history).sentence, "Overfits from epoch 5: kept epoch 10.");
  EXPECT_EQ(judge(history).advice.rfind("Keep the best epoch (restore_best = true)", 0), 0U);
}

TEST(Verdict, ValidationWithoutAMeasurementIsIgnored) {
  auto history = steps_of(1000, decay(8), 0.05);
  add_epochs(history, 20, decay(16), [](double) { return std::nan(""); });
  const Verdict measured = judge(history);
  for (EpochReport& epoch : history.epochs) epoch.metrics.pop_back();
  const Verdict alone = judge(history);
  EXPECT_EQ(measured.kind, alone.kind);
  EXPECT_EQ(measured.sentence, alone.sentence);
  EXPECT_NE(alone.kind, VerdictKind::not_judged);
}

TEST(Verdict, WithoutAMatchingRuleThereIsNoVerdict) {
  EXPECT_EQ(Verdict{}.kind, VerdictKind::not_judged);
  auto history = steps_of(1000, decay(8), 0.05);
  add_epochs(history, 20, decay(16), [](double t) { return t < 0.5 ? 1 : std::nan(""); });
  const Verdict verdict = judge(history);
  EXPECT_EQ(verdict.kind, VerdictKind::not_judged) << verdict.sentence;
  EXPECT_EQ(verdict.sentence.rfind("Not judged: ", 0), 0U) << verdict.sentence;
}

TEST(Verdict, OverfittingBeginsAtEightPercent) {
  const auto rises_by = [](double part) {
    auto history = steps_of(1000, decay(6));
    add_epochs(history, 10, decay(6),
               [=](double t) { return t < 0.5 ? 1.5 - t : 1 + part * std::min(1.0, 4 * (t - 0.5)); });
    return history;
  };
  // the lowest epoch is at t = 4/9 with 1.0556; the rise starts from 1 at t = 0.5, between two epochs
  EXPECT_EQ(judge(rises_by(0.25)).kind, overfitting);
  EXPECT_NE(judge(rises_by(0.05)).kind, overfitting);
}

TEST(Verdict, ValidationAndTrainingRisingTogetherIsNotOverfitting) {
  auto history = steps_of(1000, decay(6));
  const Curve both = [](double t) { return 1 + (t - 0.5) * (t - 0.5); };
  add_epochs(history, 10, both, both);
  EXPECT_NE(judge(history).kind, overfitting);
}

TEST(Verdict, AStraightShallowLineIsCrawling) {
  const Verdict verdict = judge(steps_of(500, line(2.3, 1.9), 0.02));
  EXPECT_EQ(verdict.kind, crawling);
  EXPECT_NEAR(value_of(verdict, "pace"), 1, 0.2);
}

TEST(Verdict, AScheduleDoesNotHideCrawling) {
  const Curve falling_rate = [](double t) { return 1e-5 * (1 - t); };
  const Curve loss = [](double t) { return 2.3 - 0.3 * (2 * t - t * t); };  // linear in the sum of the rates
  EXPECT_EQ(judge(steps_of(500, loss, 0.005, falling_rate)).kind, crawling);
  EXPECT_NE(judge(steps_of(500, decay(5, 2), 0.005)).kind, crawling);
}

TEST(Verdict, AStraightLineIsNotCrawlingIfTheValidationLossRests) {
  History history = steps_of(500, line(0.9, 0.6), 0.005);
  add_epochs(history, 15, line(0.9, 0.6), [](double t) { return t < 0.3 ? 0.75 - 0.1 * t : 0.72; });
  EXPECT_NE(judge(history).kind, crawling);
  History falls = steps_of(500, line(0.9, 0.6), 0.005);
  add_epochs(falls, 15, line(0.9, 0.6), line(0.95, 0.65));
  EXPECT_EQ(judge(falls).kind, crawling);
  // both losses fall slightly in a straight line
  History little = steps_of(500, line(0.836, 0.82), 0.0005);
  add_epochs(little, 15, line(0.836, 0.82), line(0.593, 0.585));
  EXPECT_EQ(judge(little).kind, crawling);
  // one low epoch by chance is not a fall
  History noisy = steps_of(500, line(0.9, 0.6), 0.005);
  add_epochs(noisy, 16, line(0.9, 0.6), [](double t) { return std::abs(t - 0.8) < 0.01 ? 0.7 : 0.72; });
  EXPECT_NE(judge(noisy).kind, crawling);
}

TEST(Verdict, ALossThatDoesNotMoveIsCrawling) {
  EXPECT_EQ(judge(steps_of(500, line(2.3, 2.299))).kind, crawling);
  const Curve vanishing = [](double t) { return std::exp(-20 * t); };
  EXPECT_EQ(judge(steps_of(
                      500, decay(20, 1000), 0, [](double) { return 0.1; }, vanishing))
                .kind,
            converged);
}

TEST(Verdict, AStraightSteepLineIsStillFalling) {
  EXPECT_EQ(judge(steps_of(500, line(2.3, 0.3), 0.02)).kind, still_falling);
}

TEST(Verdict, ACurveThatBendsButDoesNotLevelOffIsStillFalling) {
  const Verdict verdict = judge(steps_of(1000, decay(2.5), 0.05));
  EXPECT_EQ(verdict.kind, still_falling);
  EXPECT_GT(value_of(verdict, "late_gain"), 0.02);
}

TEST(Verdict, ACurveThatEndsLevelConverged) {
  const Verdict verdict = judge(steps_of(1000, decay(20), 0.05));
  EXPECT_EQ(verdict.kind, converged);
  EXPECT_LT(value_of(verdict, "late_gain"), 0.02);
}

TEST(Verdict, ARateOfZeroIsNoConvergence) {
  // the loss is linear in the sum of the rates, so it is flat at the end only because the rates go to 0
  const Curve rate = [](double t) { return 0.1 * (1 + std::cos(3.14159 * t)) / 2; };
  const auto sum = [](double t) { return t + std::sin(3.14159 * t) / 3.14159; };
  const Verdict verdict = judge(steps_of(
      1000, [&](double t) { return 2 * std::exp(-2 * sum(t)); }, 0, rate));
  EXPECT_EQ(verdict.kind, schedule_ended) << verdict.sentence;
  EXPECT_LT(value_of(verdict, "final_rate"), 0.01);
  EXPECT_NEAR(value_of(verdict, "late_gain"), 1 - std::exp(-1), 0.1);
  // if it was already flat while the rate was high, it did converge
  EXPECT_EQ(judge(steps_of(
                      1000, [&](double t) { return 1 + 2 * std::exp(-20 * sum(t)); }, 0, rate))
                .kind,
            converged);
}

TEST(Verdict, ValidationDecidesWhetherItStillFalls) {
  auto history = steps_of(1000, decay(2.5), 0.02);
  add_epochs(history, 20, decay(2.5), decay(15, 0.4));
  EXPECT_EQ(judge(history).kind, converged);
  history.epochs.clear();
  add_epochs(history, 20, decay(2.5), decay(2.5, 0.4));
  EXPECT_EQ(judge(history).kind, still_falling);
}

TEST(Verdict, AScheduleThatEndsLowIsNamedAsEvidence) {
  const auto cosine = [](double t) { return 0.1 * (1 + std::cos(3.14159 * t)) / 2; };
  EXPECT_LT(value_of(judge(steps_of(1000, decay(12), 0.01, cosine)), "final_rate"), 0.01);
}

TEST(Verdict, IsPossibleFromEpochsWithoutSteps) {
  History history;
  add_epochs(history, 20, decay(12), decay(12, 0.4));
  EXPECT_EQ(judge(history).kind, converged);
}

TEST(Verdict, AFewStepsAreNotJudged) {
  EXPECT_EQ(judge(History{}).kind, too_short);
  const Verdict verdict = judge(steps_of(9, decay(12)));
  EXPECT_EQ(verdict.kind, too_short);
  // with a few batches, a rise may be chance, so it is not called a divergence
  EXPECT_EQ(judge(steps_of(4, [](double x) { return 1 + x; })).kind, too_short);
  EXPECT_EQ(judge(steps_of(4, [](double x) { return 1 + 1000 * x; })).kind, diverged);
  EXPECT_EQ(value_of(verdict, "steps"), 9);
  EXPECT_EQ(judge(steps_of(200, decay(20))).kind, converged);
}

TEST(Verdict, AFallHiddenInTheNoiseOfBatchesIsNotCalledConverged) {
  const Verdict noisy = judge(steps_of(40, decay(3), 0.4));
  EXPECT_EQ(noisy.kind, too_short) << noisy.sentence;
  EXPECT_GT(value_of(noisy, "late_gain_at_most"), 0.5);  // its value is 0.64
  const Verdict rests = judge(steps_of(2000, decay(20), 0.01));
  EXPECT_EQ(rests.kind, converged) << rests.sentence;
  EXPECT_NE(rests.evidence.at(1).sentence.find("did not fall by more than its noise"), std::string::npos);
}

TEST(Verdict, EveryKindHasASentenceEvidenceAndAdvice) {
  auto nan = steps_of(100, decay(5));
  nan.steps.back().loss = std::numeric_limits<double>::infinity();
  for (const History& history :
       {nan, steps_of(500, line(2.3, 2.0)), steps_of(500, line(2.3, 0.3)), steps_of(99, decay(12))}) {
    const Verdict verdict = judge(history);
    EXPECT_FALSE(verdict.sentence.empty());
    EXPECT_FALSE(verdict.evidence.empty());
    EXPECT_FALSE(verdict.advice.empty());
    EXPECT_FALSE(name(verdict.kind).empty());
  }
}

TEST(Verdict, NoBetterThanTheConstantLearnedNothing) {
  auto history = steps_of(500, line(1, 1), 0.1);
  add_epochs(history, 20, line(1.01, 1), line(1.02, 1.03), 0.01);
  EXPECT_EQ(judge(history, {.constant_training = 1, .constant_validation = 1.02}).kind, learned_nothing);
  EXPECT_NE(judge(history, {.constant_training = 2, .constant_validation = 2}).kind, learned_nothing);
}

TEST(Verdict, ABlowUpFromWhichTheLossRecoversIsUnstable) {
  const Curve spike = [](double t) { return t < 0.2 ? 1 + 20 * t : t < 0.4 ? 9 - 20 * t : 0.8; };
  EXPECT_EQ(judge(steps_of(500, spike)).kind, unstable);
}

TEST(Verdict, SingleHighStepsAreSpikesAndNotInstability) {
  for (const std::size_t at : {100U, 480U}) {
    auto history = steps_of(500, decay(20), 0.01);
    history.steps[at].loss = 3000;
    const Verdict verdict = judge(history);
    EXPECT_EQ(verdict.kind, spikes) << verdict.sentence;
    EXPECT_EQ(value_of(verdict, "spikes"), 1);
    EXPECT_NE(verdict.evidence.front().sentence.find("3000"), std::string::npos);
  }
  // if another verdict fits, spikes are only evidence
  auto history = steps_of(500, line(2.3, 1.9), 0.02);
  history.steps[100].loss = 3000;
  const Verdict verdict = judge(history);
  EXPECT_NE(verdict.kind, spikes) << verdict.sentence;
  EXPECT_NE(verdict.kind, unstable) << verdict.sentence;
  EXPECT_EQ(value_of(verdict, "spikes"), 1);
}

/// Five epochs of which the last ones rise have not levelled off.
TEST(Verdict, FewEpochsThatRiseAreNotConverged) {
  const Curve turns = [](double t) { return t < 0.6 ? 0.76 - t : 0.16 + 0.2 * (t - 0.6); };
  auto history = steps_of(85, turns, 0.02);
  add_epochs(history, 5, turns, turns);
  const Verdict verdict = judge(history);
  EXPECT_EQ(verdict.kind, still_falling) << verdict.sentence;
}

/// The gain of the second half counts only a minimum in that half.
TEST(Verdict, AMinimumInTheFirstHalfIsNotALateGain) {
  auto history = steps_of(1000, decay(40), 0.01);
  add_epochs(
      history, 40, decay(40), [](double t) { return t > 0.2 && t < 0.23 ? 0.48 : 0.5; }, 0);
  EXPECT_LT(value_of(judge(history), "late_gain"), 0.01);
}

/// An outlier among few validation rows gives the constant and every model a high loss there.
TEST(Verdict, OutliersInTheValidationSetAreNotCalledMemorising) {
  auto history = steps_of(500, line(1, 0.99), 0.1);
  add_epochs(history, 20, line(1.001, 1), line(40, 40), 0.01);
  const Verdict nothing = judge(history, {.constant_training = 1, .constant_validation = 40});
  EXPECT_EQ(nothing.kind, learned_nothing);
  EXPECT_EQ(nothing.sentence.find("memorised"), std::string::npos) << nothing.sentence;
  auto falls = steps_of(500, line(1, 0.5));
  add_epochs(falls, 20, line(1, 0.5), line(40, 20), 0.01);
  const JudgeOptions far{.constant_training = 1, .constant_validation = 40};
  EXPECT_NE(judge(falls, far).kind, converged);
  auto learned = steps_of(500, decay(20, 0.001));
  add_epochs(learned, 20, decay(20, 0.001), line(2, 2), 0.01);
  EXPECT_NE(judge(learned, {.constant_training = 1, .constant_validation = 1}).sentence.find("memorised"),
            std::string::npos);
}

/// After an easy first batch, the rule uses the loss of the constant, but the evidence states the real first loss.
TEST(Verdict, TheEvidenceOfABlowUpStatesTheFirstLoss) {
  const Verdict verdict =
      judge(steps_of(100, [](double t) { return t > 0 ? 9 - 4 * t : 0.5; }), {.constant_training = 2});
  ASSERT_EQ(verdict.kind, diverged) << verdict.sentence;
  EXPECT_EQ(verdict.evidence.front().sentence.find("The training loss began at 0.5, rose to"), 0U)
      << verdict.evidence.front().sentence;
}

/// The last batch of an epoch may have few rows, so its loss may be far above or below the others by chance.
TEST(Verdict, SmallLastBatchesThatRiseByChanceAreNotADivergence) {
  History history = steps_of(80, [](double t) { return 1 + (std::fmod(t * 79, 2) < 0.5 ? 0.0 : t > 0.9 ? 3 : -0.9); });
  EXPECT_EQ(judge(history).kind, diverged);
  add_epochs(history, 40, line(1, 0.999), line(1, 0.999));
  EXPECT_NE(judge(history).kind, diverged) << judge(history).sentence;
}

/// A training loss of half the constant's means that something was learned, but it does not generalise.
TEST(Verdict, TrainingRowsLearnedInPartDoNotGeneralise) {
  auto history = steps_of(500, decay(20, 0.5));
  add_epochs(history, 20, decay(20, 0.5), line(1.02, 1.03), 0.01);
  const Verdict verdict = judge(history, {.constant_training = 1, .constant_validation = 1.02});
  EXPECT_EQ(verdict.kind, learned_nothing);
  EXPECT_NE(verdict.sentence.find("on the training rows it is well below"), std::string::npos) << verdict.sentence;
  EXPECT_NE(verdict.advice.find("smaller model"), std::string::npos) << verdict.advice;
}

/// The loss of the validation rows was lowest long before the end: it is not falling any more.
TEST(Verdict, AFallOfLongAgoIsNotAFall) {
  auto history = steps_of(1000, decay(20), 0.01);
  add_epochs(
      history, 100, decay(20, 0.6), [](double t) { return t < 0.55 ? 1 - t : 0.45 + 0.3 * (t - 0.55); }, 0);
  const Verdict verdict = judge(history);
  EXPECT_NE(verdict.kind, still_falling) << verdict.sentence;
  for (const Evidence& e : verdict.evidence) EXPECT_EQ(e.sentence.find("validation loss fell"), std::string::npos);
}

/// The loss of the validation rows fell in the second half and rose a little in its last part.
TEST(Verdict, WhereAFallingLossWasLowestIsSaid) {
  auto history = steps_of(1000, decay(20, 0.6), 0.01);
  add_epochs(
      history, 100, decay(20, 0.6), [](double t) { return t < 0.7 ? 1 - t : 0.3 + 0.1 * (t - 0.7); }, 0);
  const Verdict verdict = judge(history);
  EXPECT_EQ(verdict.kind, still_falling) << verdict.sentence;
  EXPECT_NE(verdict.sentence.find("lowest in epoch 7"), std::string::npos) << verdict.sentence;
  EXPECT_EQ(verdict.sentence.find("had not levelled out"), std::string::npos) << verdict.sentence;
}

/// Four epochs with little progress do not show that nothing can be learned if both losses fall in each of them.
TEST(Verdict, FewEpochsThatAllFallAreNotCalledLearnedNothing) {
  auto history = steps_of(12, line(0.7, 0.68), 0.03);
  add_epochs(history, 4, line(0.695, 0.685), line(0.694, 0.687));
  const JudgeOptions constants{.constant_training = 0.69, .constant_validation = 0.696};
  EXPECT_NE(judge(history, constants).kind, learned_nothing) << judge(history, constants).sentence;
  history.epochs[2].metrics[1].second = 0.7;  // a validation loss that rises
  EXPECT_EQ(judge(history, constants).kind, learned_nothing);
}

TEST(Verdict, EveryRuleHasEvidenceASentenceAndAKind) {
  EXPECT_GT(verdict_rules().size(), 8U);
  for (const VerdictRule& rule : verdict_rules()) {
    EXPECT_FALSE(rule.evidence.empty());
    EXPECT_FALSE(rule.says.empty());
    EXPECT_FALSE(name(rule.kind).empty());
  }
  EXPECT_EQ(verdict_rules().back().kind, converged);  // the last rule applies if no other does
}

}  // namespace
}  // namespace thalweg
