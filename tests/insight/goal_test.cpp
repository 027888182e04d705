#include "insight/goal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace thalweg {
namespace {

/// A run of fifty epochs whose loss rises, as a policy's may. Its goal metric is `course(t)`, where t goes from 0 to 1.
History run(const std::function<double(double)>& course) {
  History history;
  for (int i = 0; i < 50; ++i) {
    const double noise = (i * 7919 % 13 - 6) / 6.0;
    EpochReport epoch;
    epoch.epoch = epoch.step = i + 1;
    epoch.metrics = {{"loss", 1 + i}, {"episode length", course(i / 49.0) + noise}};
    history.epochs.push_back(epoch);
    history.steps.push_back({.step = i + 1, .total_steps = 50, .epoch = i + 1, .loss = 1.0 + i, .gradient_norm = 1});
  }
  return history;
}

VerdictKind kind_of(const History& history, const std::string& goal = "episode length") {
  return judge(history, {.makes_rows = true, .goal = goal}).kind;
}

TEST(GoalVerdict, JudgesTheGoalMetricAndNotTheLoss) {
  EXPECT_EQ(kind_of(run([](double t) { return 20 + 400 * t; })), VerdictKind::still_rising);
  EXPECT_EQ(kind_of(run([](double t) { return 20 + 480 * (1 - std::exp(-12 * t)); })), VerdictKind::converged);
  EXPECT_EQ(kind_of(run([](double t) { return std::min(500.0, 20 + 600 * t); })), VerdictKind::converged)
      << "a goal at its maximum cannot rise further";
  EXPECT_EQ(kind_of(run([](double) { return 22.0; })), VerdictKind::learned_nothing);
  EXPECT_EQ(kind_of(run([](double t) { return 100 - 50 * t; })), VerdictKind::learned_nothing);
  const Verdict fallen =
      judge(run([](double t) { return 100 - 50 * t; }), {.makes_rows = true, .goal = "episode length"});
  EXPECT_EQ(fallen.sentence.rfind("Fallen: ", 0), 0U) << fallen.sentence;
  const Verdict verdict =
      judge(run([](double t) { return 20 + 400 * t; }), {.makes_rows = true, .goal = "episode length"});
  EXPECT_NE(verdict.sentence.find("episode length went from"), std::string::npos) << verdict.sentence;
  EXPECT_EQ(verdict.sentence.find("loss"), std::string::npos);
}

TEST(GoalVerdict, CountsCollectionsAndNotPassesOverThem) {
  const auto in_passes = [](int passes, const std::function<double(int)>& course) {
    History history = run([](double) { return 0; });
    for (std::size_t i = 0; i < history.epochs.size(); ++i)
      history.epochs[i].metrics[1].second = course(static_cast<int>(i) / passes);
    return history;
  };
  const auto rising = [](int collection) { return 20.0 + 5 * collection; };
  EXPECT_EQ(kind_of(in_passes(10, rising)), VerdictKind::not_judged) << "five collections";
  EXPECT_EQ(kind_of(in_passes(7, rising)), VerdictKind::still_rising)
      << "eight collections, the last with only one pass";
  EXPECT_EQ(kind_of(in_passes(5, rising)), VerdictKind::still_rising);
  EXPECT_EQ(kind_of(in_passes(50, rising)), VerdictKind::not_judged) << "one collection";
  EXPECT_EQ(kind_of(in_passes(5, [](int collection) { return std::min(500.0, 100.0 + 200 * collection); })),
            VerdictKind::converged)
      << "collections with equal results still count separately";
  const Verdict few = judge(in_passes(10, rising), {.makes_rows = true, .goal = "episode length"});
  EXPECT_EQ(few.sentence.rfind("Too short to judge: ", 0), 0U) << few.sentence;
}

TEST(GoalVerdict, AGoalThatNeverChangesIsNotCalledShort) {
  History history = run([](double) { return 0; });
  for (EpochReport& epoch : history.epochs) epoch.metrics.back().second = 7;
  const Verdict verdict = judge(history, {.makes_rows = true, .goal = "episode length"});
  EXPECT_EQ(verdict.kind, VerdictKind::not_judged);
  EXPECT_NE(verdict.sentence.find("episode length was 7 in each of"), std::string::npos) << verdict.sentence;
}

TEST(GoalVerdict, WithoutAGoalOnlyALossThatIsNotFiniteIsJudged) {
  EXPECT_EQ(kind_of(run([](double t) { return t; }), ""), VerdictKind::not_judged);
  EXPECT_EQ(kind_of(run([](double t) { return t; }), "no such metric"), VerdictKind::not_judged);
  History broken = run([](double t) { return t; });
  broken.steps[30].loss = std::nan("");
  EXPECT_EQ(kind_of(broken), VerdictKind::diverged);
  EXPECT_EQ(kind_of(broken, ""), VerdictKind::diverged);
}

}  // namespace
}  // namespace thalweg
