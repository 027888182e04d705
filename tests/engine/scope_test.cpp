// What a model draws and keeps besides parameters: random numbers, and statistics of the data.

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t rows = 12, width = 3;

Dataset numbers() {
  Dataset data;
  data.set("input", random_normal({rows, width}, 3, f64));
  data.set("target", random_normal({rows, 1}, 4, f64));
  return data;
}

Var dropped_out(Scope s, Var x) {
  if (s.mode() == Mode::train) x = x * (s.uniform("mask", x.shape()) >= 0.5) * 2;
  return nn::dense(s / "out", x, 1);
}

Var with_running_mean(Scope s, Var x) {
  const Var running = s.statistic("mean", {width}, 5);
  const Var mean_now = per_shard(mean(x, 0));
  s.observe("mean", mean_now, 0.25);
  return nn::dense(s / "out", x - (s.mode() == Mode::train ? mean_now : running), 1);
}

TrainStep step_of(const ModelFunction& model, int threads = 1) {
  return {objective_of(model, loss::mse), optim::sgd({.lr = 0.1}), threads};
}

State after(std::int64_t steps, const ModelFunction& model, int threads, std::int64_t shard_size) {
  TrainStep step = step_of(model, threads);
  const Dataset data = numbers();
  State state = step.init(data, 1, f64);
  for (std::int64_t i = 0; i < steps; ++i) (void)step(state, data, {}, shard_size);
  return state;
}

double distance(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.at(i) - b.at(i)));
  return largest;
}

TEST(Random, FollowsTheSampleWhateverTheShard) {
  const State whole = after(3, dropped_out, 1, rows);
  for (std::int64_t shard_size : {1, 5, 6}) {
    EXPECT_LT(distance(after(3, dropped_out, 1, shard_size).parameters, whole.parameters), 1e-14);
  }
}

TEST(Random, SameBitsForAnyNumberOfThreads) {
  const State one = after(3, dropped_out, 1, 5);
  for (int threads : {2, 3, 4}) EXPECT_TRUE(identical(after(3, dropped_out, threads, 5).parameters, one.parameters));
}

TEST(Random, DiffersFromStepToStepAndFromSeedToSeed) {
  TrainStep step = step_of(dropped_out);
  const Dataset data = numbers();
  const auto loss_of = [&](std::uint64_t seed, std::int64_t at_step) {
    State state = step.init(data, 1, f64);
    state.seed = seed;
    state.step = at_step;
    return step(state, data).loss;
  };
  EXPECT_EQ(loss_of(1, 0), loss_of(1, 0));
  EXPECT_NE(loss_of(1, 0), loss_of(1, 1));
  EXPECT_NE(loss_of(1, 0), loss_of(2, 0));
}

TEST(Random, IsUniform) {
  constexpr std::int64_t draws = 40'000;
  double low = 1, high = 0, sum = 0, squares = 0;
  const auto model = [](Scope s, Var x) {
    const Var u = s.uniform("u", {x.dim(0), draws});
    s.observe("u", u, 1);
    return x * s.parameter("w", {1});
  };
  const auto declared = [&](Scope s, Var x) {
    (void)s.statistic("u", {1, draws}, 0);
    return model(s, x);
  };
  Dataset one;
  one.set("input", Tensor({1, 1}, f64));
  one.set("target", Tensor({1, 1}, f64));
  TrainStep step = step_of(declared);
  State state = step.init(one, 1, f64);
  (void)step(state, one);
  const Tensor u = state.parameter("u");
  for (std::int64_t i = 0; i < draws; ++i) {
    low = std::min(low, u.at(i)), high = std::max(high, u.at(i));
    sum += u.at(i), squares += u.at(i) * u.at(i);
  }
  EXPECT_GE(low, 0);
  EXPECT_LT(high, 1);
  EXPECT_LT(low, 1e-3);
  EXPECT_GT(high, 1 - 1e-3);
  EXPECT_NEAR(sum / draws, 0.5, 4 * std::sqrt(1.0 / 12 / draws));
  EXPECT_NEAR(squares / draws, 1.0 / 3, 4 * std::sqrt(4.0 / 45 / draws));
}

TEST(Random, IsRefusedInEvaluationAndTwiceUnderOneName) {
  const auto always = [](Scope s, Var x) { return nn::dense(s / "out", x * s.uniform("mask", x.shape()), 1); };
  Trainer trainer(always, loss::mse, optim::sgd({.lr = 0.1}));
  const Dataset data = numbers();
  EXPECT_NO_THROW((void)trainer.fit(data, {.epochs = 1}));
  EXPECT_THROW((void)trainer.evaluate(data), UsageError);
  const auto twice = [](Scope s, Var x) { return x * s.uniform("mask", x.shape()) * s.uniform("mask", x.shape()); };
  EXPECT_THROW((void)step_of(twice).init(data, 1), UsageError);
}

TEST(Statistic, MovesTowardsWhatIsObserved) {
  const Tensor x = numbers()["input"];
  const State state = after(2, with_running_mean, 1, rows);
  for (std::int64_t j = 0; j < width; ++j) {
    double mean_now = 0;
    for (std::int64_t i = 0; i < rows; ++i) mean_now += x.at(i * width + j) / static_cast<double>(rows);
    const double once = 0.75 * 5 + 0.25 * mean_now;
    EXPECT_NEAR(state.parameter("mean").at(j), 0.75 * once + 0.25 * mean_now, 1e-13);
  }
}

TEST(Statistic, OfShardsIsTheirWeightedMean) {
  const State whole = after(2, with_running_mean, 1, rows), shards = after(2, with_running_mean, 2, 5);
  EXPECT_LT(distance(whole.parameter("mean"), shards.parameter("mean")), 1e-13);
  // but each shard subtracts its own mean
  EXPECT_GT(distance(whole.parameter("out/weight"), shards.parameter("out/weight")), 1e-6);
}

TEST(Statistic, IsReadInEvaluationAndLeftAlone) {
  Trainer trainer(with_running_mean, loss::mse, optim::sgd({.lr = 0.1}));
  const Dataset data = numbers();
  (void)trainer.fit(data, {.epochs = 2, .batch_size = rows});
  const State& state = trainer.state();
  const Tensor x = data["input"], y = data["target"], w = state.parameter("out/weight"),
               b = state.parameter("out/bias"), running = state.parameter("mean");
  double expected = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    double error = b.at(0) - y.at(i);
    for (std::int64_t j = 0; j < width; ++j) error += (x.at(i * width + j) - running.at(j)) * w.at(j);
    expected += error * error / static_cast<double>(rows);
  }
  EXPECT_NEAR(trainer.evaluate(data)["loss"], expected, 1e-5 * expected);
  EXPECT_TRUE(identical(state.parameter("mean"), running));
}

TEST(Statistic, MustBeDeclaredAndKeepItsShape) {
  const auto undeclared = [](Scope s, Var x) {
    s.observe("mean", mean(x, 0), 0.1);
    return nn::dense(s / "out", x, 1);
  };
  EXPECT_THROW((void)step_of(undeclared).init(numbers(), 1), UsageError);
  const auto misshapen = [](Scope s, Var x) {
    (void)s.statistic("mean", {width + 1}, 0);
    s.observe("mean", mean(x, 0), 0.1);
    return nn::dense(s / "out", x, 1);
  };
  EXPECT_THROW((void)step_of(misshapen).init(numbers(), 1), UsageError);
}

}  // namespace
}  // namespace thalweg
