// The verdict on a run whose loss has come to rest depends on the kind of point where it rests.

#include <gtest/gtest.h>

#include <cmath>

#include "insight/point.hpp"
#include "insight/verdict.hpp"

namespace thalweg {
namespace {

/// A run whose loss falls to `end` in the first tenth of its steps and stays there.
History rests_at(double end) {
  History history;
  for (std::int64_t i = 1; i <= 200; ++i) {
    StepReport step{.step = i, .total_steps = 200, .epoch = 1 + i / 20};
    step.loss = end + (2 - end) * std::exp(-static_cast<double>(i) / 5);
    step.gradient_norm = 0.01;
    step.lr = 0.1;
    history.steps.push_back(step);
  }
  return history;
}

struct Looked {
  Verdict verdict;
  int looks = 0;
};

Looked judged(PointKind kind, const History& history) {
  Looked looked;
  Trials trials{.steps = 10};
  trials.now = [] { return 1.0; };
  trials.onward = [](double lr) { return 1 - lr; };
  trials.afresh = [](double) { return 0.5; };
  trials.point = [&] {
    ++looked.looks;
    return Point{.kind = kind,
                 .sentence = "What it is.",
                 .evidence = {{"largest", 2, "The largest."}},
                 .largest = 2,
                 .smallest = -1};
  };
  looked.verdict = judge(history, {.trials = &trials});
  return looked;
}

TEST(Rest, TheKindOfPointDecidesTheVerdict) {
  for (const auto& [kind, verdict] : {std::pair{PointKind::saddle, VerdictKind::at_saddle},
                                      {PointKind::plateau, VerdictKind::on_plateau},
                                      {PointKind::rate_too_low, VerdictKind::crawling},
                                      {PointKind::minimum, VerdictKind::converged},
                                      {PointKind::slope, VerdictKind::converged}}) {
    const Looked looked = judged(kind, rests_at(1));
    EXPECT_EQ(name(looked.verdict.kind), name(verdict)) << name(kind);
    EXPECT_EQ(looked.looks, 1);
    const auto& evidence = looked.verdict.evidence;
    const bool said = looked.verdict.sentence == "What it is." ||
                      std::ranges::any_of(evidence, [](const Evidence& e) { return e.sentence == "What it is."; });
    EXPECT_TRUE(said) << name(kind);
  }
}

TEST(Rest, ThePointIsNotExaminedIfTheLossStillFalls) {
  History history = rests_at(1);
  for (StepReport& step : history.steps) step.loss = 2 - 0.008 * static_cast<double>(step.step);
  EXPECT_EQ(judged(PointKind::saddle, history).looks, 0);
}

TEST(Rest, ThePointIsNotExaminedIfEverythingIsLearned) {
  const Looked looked = judged(PointKind::saddle, rests_at(0.001));
  EXPECT_EQ(looked.looks, 0);
  EXPECT_EQ(looked.verdict.kind, VerdictKind::converged);
}

}  // namespace
}  // namespace thalweg
