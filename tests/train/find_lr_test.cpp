#include "thalweg/find_lr.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stop_token>

#include "insight/lr_curve.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// y = x w with white inputs: the loss mean (x w - y)^2 has curvature 2 in every direction, so full-batch descent
/// diverges above a rate of 1 and is fastest near 1/2.
Dataset white_rows(std::int64_t rows = 256) {
  const Tensor x = random_normal({rows, 4}, 3);
  std::vector<float> inputs, targets;
  for (std::int64_t i = 0; i < rows; ++i) {
    double y = 0;
    for (std::int64_t j = 0; j < 4; ++j) {
      inputs.push_back(static_cast<float>(x.at(4 * i + j)));
      y += static_cast<double>(j + 1) * x.at(4 * i + j);
    }
    targets.push_back(static_cast<float>(y));
  }
  Dataset data;
  data.set("input", Tensor::from(std::span<const float>(inputs), {rows, 4}));
  data.set("target", Tensor::from(std::span<const float>(targets), {rows, 1}));
  return data;
}

const FitOptions whole_set{.epochs = 20, .batch_size = 0};

LrFinding find(const FindLrOptions& options, const FitOptions& run = whole_set) {
  return find_lr(nn::linear(1), loss::mse, optim::sgd({.lr = 1}), white_rows(), run, options);
}

TEST(FindLr, TheSweepGrowsExponentially) {
  const LrFinding finding = find({.start = 1e-6, .end = 1e-2, .steps = 41, .trials = 0});
  ASSERT_EQ(finding.curve.size(), 41U);
  EXPECT_FALSE(finding.diverged);
  for (std::size_t i = 0; i < 41; ++i) {
    EXPECT_EQ(finding.curve[i].step, static_cast<std::int64_t>(i) + 1);
    EXPECT_NEAR(std::log10(finding.curve[i].lr), -6 + 0.1 * static_cast<double>(i), 1e-9);
  }
}

TEST(FindLr, LossesAreSmoothedAndDebiased) {
  const LrFinding finding = find({.end = 1e-2, .steps = 50, .smoothing = 0.8, .trials = 0});
  double mean = 0;
  for (std::size_t i = 0; i < finding.curve.size(); ++i) {
    mean = 0.8 * mean + 0.2 * finding.curve[i].loss;
    EXPECT_NEAR(finding.curve[i].smoothed, mean / (1 - std::pow(0.8, static_cast<double>(i) + 1)), 1e-12);
  }
}

TEST(FindLr, TheSweepStopsWhereTheLossBlowsUp) {
  const LrFinding finding = find({.end = 1e3, .steps = 200, .trials = 0});
  EXPECT_TRUE(finding.diverged);
  EXPECT_LT(finding.curve.size(), 200U);
  EXPECT_GT(finding.curve.back().lr, 1);
  EXPECT_LT(finding.curve.back().lr, 30);
}

TEST(FindLr, OnAQuadraticTheRecommendedRateIsNearTheBest) {
  const LrFinding finding = find({});
  EXPECT_EQ(finding.suggestions.front().name, "trials");
  EXPECT_GT(finding.lr(), 0.2);
  EXPECT_LT(finding.lr(), 0.8);
  EXPECT_EQ(finding.suggestions.size(), 4U);
  for (const LrSuggestion& suggestion : finding.suggestions) {
    EXPECT_GT(suggestion.lr, 0) << suggestion.name;
    EXPECT_LT(suggestion.lr, 1) << suggestion.name << ": it diverges";
    EXPECT_GE(suggestion.confidence, 0);
    EXPECT_LE(suggestion.confidence, 1);
    EXPECT_FALSE(suggestion.reason.empty());
  }
}

TEST(FindLr, TheBestTrialHasWorseOnesOnBothSides) {
  const LrFinding finding = find({});
  const auto best = std::ranges::min_element(finding.trials, {}, &LrTrial::loss);
  EXPECT_EQ(best->lr, finding.lr());
  EXPECT_NE(best, finding.trials.begin());
  EXPECT_NE(best + 1, finding.trials.end());
  EXPECT_LE(finding.trials.size(), 7U);
}

TEST(FindLr, ATrialOfAShortRunIsTheWholeRun) {
  // a run of 20 steps is shorter than the minimum of a trial, so the trial is the whole run
  FitOptions run = whole_set;
  const Dataset data = white_rows();
  const LrFinding finding = find({}, run);
  ASSERT_EQ(finding.trial_steps, 20);
  Trainer trainer(nn::linear(1), loss::mse, optim::sgd({.lr = finding.lr()}), 1);
  trainer.fit(data, run);
  const auto best = std::ranges::min_element(finding.trials, {}, &LrTrial::loss);
  EXPECT_EQ(trainer.evaluate(data)["loss"], best->loss);
}

TEST(FindLr, CountsItsCost) {
  std::int64_t steps = 0;
  FitOptions run{.epochs = 3, .batch_size = 32};
  run.on_step = [&](const StepReport&) { ++steps; };
  const LrFinding finding = find({.end = 0.1, .steps = 30, .trials = 2}, run);
  EXPECT_EQ(finding.steps, 30 + 2 * 24);
  EXPECT_EQ(finding.steps, steps);
  EXPECT_EQ(finding.samples, finding.steps * 32);
  EXPECT_GT(finding.seconds, 0);
}

TEST(FindLr, TrialsHaveTheRequestedPartOfTheRunsSteps) {
  FitOptions run{.batch_size = 32};
  run.steps = 2400;
  EXPECT_EQ(find({.trial = "50%", .trials = 1}, run).trial_steps, 1200);
  EXPECT_EQ(find({.trial = "1%", .trials = 1}, run).trial_steps, 1000);
  EXPECT_EQ(find({.trial = 10, .trials = 1}, run).trial_steps, 10);
  EXPECT_EQ(find({.trial = 5000, .trials = 1}, run).trial_steps, 2400);
}

TEST(FindLr, FindsTheSameForAnyNumberOfThreads) {
  const FitOptions run{.epochs = 5, .batch_size = 32, .shard_size = 8, .validation = 0.25};
  const LrFinding one = find({.threads = 1}, run), four = find({.threads = 4}, run);
  ASSERT_EQ(one.curve.size(), four.curve.size());
  for (std::size_t i = 0; i < one.curve.size(); ++i) EXPECT_EQ(one.curve[i].loss, four.curve[i].loss);
  ASSERT_EQ(one.trials.size(), four.trials.size());
  for (std::size_t i = 0; i < one.trials.size(); ++i) EXPECT_EQ(one.trials[i].loss, four.trials[i].loss);
}

TEST(FindLr, FindsARateForANetworkWithASchedule) {
  FitOptions run{.epochs = 4, .batch_size = 16, .validation = 0.2};
  run.early_stopping = EarlyStopping{};
  const LrFinding finding = find_lr(nn::mlp(1, {.hidden = {16}}), loss::mse,
                                    optim::adamw({.schedule = schedule::reduce_on_plateau()}), white_rows(), run);
  EXPECT_GT(finding.lr(), 1e-3);
  EXPECT_LT(finding.lr(), 1);
}

TEST(FindLr, AnObjectiveIsEnough) {
  const LrFinding finding =
      find_lr(objective_of(nn::linear(1), loss::mse), optim::sgd({.lr = 1}), white_rows(), whole_set, {.trials = 3});
  EXPECT_GT(finding.lr(), 0.05);
  EXPECT_LT(finding.lr(), 1);
}

TEST(FindLr, StopsOnRequest) {
  std::stop_source stop;
  FitOptions run = whole_set;
  run.on_step = [&](const StepReport& report) {
    if (report.step == 15) stop.request_stop();
  };
  const LrFinding finding = find({.stop = stop.get_token()}, run);
  EXPECT_TRUE(finding.stopped);
  EXPECT_EQ(finding.steps, 15);
}

TEST(FindLr, InvalidOptionsAreNamed) {
  const auto message = [](const FindLrOptions& options) {
    try {
      (void)find(options);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  EXPECT_EQ(message({.start = 0}), "[find_lr] start = 0. Wanted: > 0");
  EXPECT_EQ(message({.start = 1, .end = 0.1}), "[find_lr] end = 0.1. Wanted: > start");
  EXPECT_EQ(message({.steps = 3}), "[find_lr] steps = 3. Wanted: >= 10");
  EXPECT_EQ(message({.smoothing = 1}), "[find_lr] smoothing = 1. Wanted: in [0, 1)");
  EXPECT_EQ(message({.trials = -1}), "[find_lr] trials = -1. Wanted: >= 0");
  EXPECT_NE(message({.start = 1e6, .end = 1e9}).find("a lower start than 1000000"), std::string::npos);
}

/// Losses of a sweep from 1e-6 to 10 with seven steps per decade, not smoothed.
std::vector<LrPoint> curve_of(double (*loss)(double decade)) {
  std::vector<LrPoint> curve;
  for (int i = 0; i < 50; ++i) {
    const double decade = -6 + i / 7.0, value = loss(decade);
    curve.push_back({i + 1, std::pow(10, decade), value, value});
  }
  return curve;
}

const LrSuggestion& named(const std::vector<LrSuggestion>& all, std::string_view name) {
  return *std::ranges::find(all, name, &LrSuggestion::name);
}

TEST(LrCurve, FindsAFallAMinimumAndARise) {
  // level at 2, falling around 1e-3, lowest near 0.1, rising after that
  const auto curve =
      curve_of([](double d) { return 2 - 1 / (1 + std::exp(-4 * (d + 3))) + 5 / (1 + std::exp(-6 * (d - 0.2))); });
  const auto all = suggestions_of(curve, 0, true);
  EXPECT_NEAR(std::log10(named(all, "steepest").lr), -3, 0.15);
  EXPECT_NEAR(std::log10(named(all, "minimum / 10").lr), -2, 0.3);
  EXPECT_GT(named(all, "valley").lr, named(all, "steepest").lr / 10);
  EXPECT_LT(named(all, "valley").lr, 0.1);
  EXPECT_GT(named(all, "steepest").confidence, 0.9);
  EXPECT_GT(named(all, "minimum / 10").confidence, 0.7);
}

TEST(LrCurve, ACurveThatNeverFallsGivesNoConfidence) {
  const auto all = suggestions_of(curve_of([](double d) { return 2 + 0.1 * d; }), 0, false);
  for (const LrSuggestion& suggestion : all) EXPECT_LT(suggestion.confidence, 0.15) << suggestion.name;
}

TEST(LrCurve, AMinimumAtTheEndIsMarkedAsUncertain) {
  const auto all = suggestions_of(curve_of([](double d) { return 2 - 0.1 * d; }), 0, false);
  EXPECT_LT(named(all, "minimum / 10").confidence, 0.15);
  EXPECT_NE(named(all, "minimum / 10").reason.find("ended before"), std::string::npos);
}

TEST(LrCurve, RatesAreRoundedToTwoDigits) {
  EXPECT_EQ(rounded_lr(0.0031622), 0.0032);
  EXPECT_EQ(rounded_lr(9.96e-5), 1e-4);
  EXPECT_EQ(rounded_lr(12.6), 13);
}

}  // namespace
}  // namespace thalweg
