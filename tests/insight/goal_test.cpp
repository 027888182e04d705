#include "insight/goal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace thalweg {
namespace {

/// A run of fifty epochs whose loss rises, as that of a policy may, and whose goal goes as `course` says of 0 to 1.
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

TEST(GoalVerdict, IsAboutWhatTheRunIsAfterAndNotAboutItsLoss) {
  EXPECT_EQ(kind_of(run([](double t) { return 20 + 400 * t; })), VerdictKind::still_rising);
  EXPECT_EQ(kind_of(run([](double t) { return 20 + 480 * (1 - std::exp(-12 * t)); })), VerdictKind::converged);
  EXPECT_EQ(kind_of(run([](double t) { return std::min(500.0, 20 + 600 * t); })), VerdictKind::converged)
      << "what is at its highest cannot rise";
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

TEST(GoalVerdict, WithoutAGoalNothingIsJudgedButThatTheLossIsANumber) {
  EXPECT_EQ(kind_of(run([](double t) { return t; }), ""), VerdictKind::not_judged);
  EXPECT_EQ(kind_of(run([](double t) { return t; }), "no such metric"), VerdictKind::not_judged);
  History broken = run([](double t) { return t; });
  broken.steps[30].loss = std::nan("");
  EXPECT_EQ(kind_of(broken), VerdictKind::diverged);
  EXPECT_EQ(kind_of(broken, ""), VerdictKind::diverged);
}

}  // namespace
}  // namespace thalweg
