// What a model has besides its own parameters: random numbers, shared parameters, reports and running statistics.

#include <gtest/gtest.h>

#include <algorithm>
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

TEST(Random, DependsOnTheSampleAndNotOnItsShard) {
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

TEST(Random, UsingANameTwiceIsRefused) {
  const auto twice = [](Scope s, Var x) { return x * s.uniform("mask", x.shape()) * s.uniform("mask", x.shape()); };
  EXPECT_THROW((void)step_of(twice).init(numbers(), 1), UsageError);
}

/// The predictions of a model for `count` rows in evaluation.
Tensor evaluated(const ModelFunction& model, std::int64_t count, std::uint64_t seed, int threads) {
  const auto with_parameter = [&](Scope s, Var x) { return model(s, x) + 0 * s.parameter("w", {1}); };
  Dataset data;
  data.set("input", zeros({count, 1}));
  data.set("target", zeros({count, 1}));
  Trainer trainer(with_parameter, loss::mse, optim::sgd({.lr = 0.1}), threads);
  trainer.init(data, seed);
  return trainer.evaluate(data).predictions;
}

TEST(Random, InEvaluationDependsOnlyOnSeedAndRow) {
  const auto noise = [](Scope s, Var x) { return s.normal("z", x.shape()); };
  const Tensor all = evaluated(noise, 1300, 1, 1);  // three shards
  EXPECT_TRUE(identical(evaluated(noise, 1300, 1, 2), all));
  EXPECT_TRUE(identical(evaluated(noise, 300, 1, 1), all.rows(0, 300)));
  EXPECT_FALSE(identical(evaluated(noise, 1300, 2, 1), all));
  EXPECT_NE(all.at(0), all.at(512));
}

TEST(Random, InEvaluationDiffersFromAllTrainingSteps) {
  const auto noise = [](Scope s, Var x) { return s.uniform("z", x.shape()) + 0 * s.parameter("w", {1}); };
  Dataset one;
  one.set("input", zeros({1, 1}));
  one.set("target", zeros({1, 1}));
  Trainer trainer(noise, loss::mse, optim::sgd({.lr = 0.1}), 1);
  const History history = trainer.fit(one, {.epochs = 3});
  const double evaluated_loss = trainer.evaluate(one)["loss"];
  for (const StepReport& step : history.steps) EXPECT_NE(step.loss, evaluated_loss);
  EXPECT_EQ(trainer.evaluate(one)["loss"], evaluated_loss);
}

TEST(Random, NormalHasMeanZeroAndDeviationOne) {
  const Tensor z = evaluated([](Scope s, Var x) { return s.normal("z", x.shape()); }, 40'000, 5, 1);
  double sum = 0, squares = 0, fourths = 0;
  for (const float v : z.values<float>()) sum += v, squares += v * v, fourths += std::pow(v, 4);
  const auto n = static_cast<double>(z.size());
  EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2 / n));
  EXPECT_NEAR(fourths / n, 3, 4 * std::sqrt(96 / n));
}

TEST(Random, IntegersAreEquallyLikelyAndTheSameInBothDtypes) {
  constexpr std::int64_t draws = 21'000;
  const auto objective = [](Scope s, const Batch& b) {
    const Var k = s.integers("k", {b.rows(), draws}, -2, 5);
    EXPECT_EQ(k.dtype(), i32);
    (void)s.statistic("k", {1, draws}, 0);
    s.observe("k", cast(k, s.dtype()), 1);
    return Loss::of_samples(b["input"] * s.parameter("w", {1}));
  };
  const auto drawn = [&](DType dtype) {
    Dataset one;
    one.set("input", zeros({1, 1}));
    TrainStep step(objective, optim::sgd({.lr = 0.1}), 1);
    State state = step.init(one, 1, dtype);
    (void)step(state, one);
    return state.parameter("k").to(i32);
  };
  const Tensor k = drawn(f32);
  EXPECT_TRUE(identical(k, drawn(f64)));
  for (int value = -2; value < 5; ++value) {
    const auto times = std::ranges::count(k.values<std::int32_t>(), value);
    EXPECT_NEAR(static_cast<double>(times), draws / 7.0, 4 * std::sqrt(draws * 6.0 / 49)) << value;
  }
  const auto none = [](Scope s, Var x) { return x * cast(s.integers("k", x.shape(), 3, 3), x.dtype()); };
  EXPECT_THROW((void)step_of(none).init(numbers(), 1), UsageError);
}

TEST(Random, InApplyDependsOnSeedAndRow) {
  const Apply noise([](Scope s, const Batch& b) { return s.normal("z", {b.rows(), 2}) + s.parameter("w", {1}); }, 1);
  TrainStep step([](Scope s, const Batch& b) { return Loss::of_samples(b["input"] * s.parameter("w", {1})); },
                 optim::sgd({.lr = 0.1}), 1);
  const State state = step.init(numbers(), 1);
  const Tensor three = noise(state, {{"x", zeros({3, 1})}}, 7);
  EXPECT_TRUE(identical(noise(state, {{"x", zeros({2, 1})}}, 7), three.rows(0, 2)));
  EXPECT_FALSE(identical(noise(state, {{"x", zeros({3, 1})}}, 8), three));
  EXPECT_TRUE(identical(noise(state, {{"x", zeros({3, 1})}}), noise(state, {{"x", zeros({3, 1})}})));
}

/// Calls one shared layer on the input and on its negative.
Loss two_calls(Scope s, const Batch& b) {
  const Var a = nn::dense(s.share("d"), b["input"], 1), c = nn::dense(s.share("d"), -b["input"], 1);
  return Loss::of_samples(square(a - b["target"]) + square(c + b["target"]));
}

/// The same function with the parameters kept in variables.
Loss kept_vars(Scope s, const Batch& b) {
  const Var w = (s / "d").parameter("weight", {width, 1}, {.initializer = init::he_normal()});
  const Var bias = (s / "d").parameter("bias", {1}, {.decay = false});
  const Var a = matmul(b["input"], w) + bias, c = matmul(-b["input"], w) + bias;
  return Loss::of_samples(square(a - b["target"]) + square(c + b["target"]));
}

TEST(Share, LaterCallsUseTheParametersOfTheFirst) {
  const auto trained = [](const Objective& objective) {
    TrainStep step(objective, optim::sgd({.lr = 0.1}), 1);
    State state = step.init(numbers(), 1, f64);
    for (int i = 0; i < 3; ++i) (void)step(state, numbers());
    return state;
  };
  const State shared = trained(two_calls), kept = trained(kept_vars);
  ASSERT_EQ(shared.layout->entries.size(), 2U);
  EXPECT_EQ(shared.layout->entries[0].name, "d/weight");
  EXPECT_LT(distance(shared.parameters, kept.parameters), 1e-14);
}

TEST(Share, RefusesAnotherShapeAndANameUsedTwiceInOneCall) {
  const auto wider = [](Scope s, Var x) { return nn::dense(s.share("d"), x, 1) + sum(nn::dense(s.share("d"), x, 2)); };
  EXPECT_THROW((void)step_of(wider).init(numbers(), 1), UsageError);
  const auto mixed = [](Scope s, Var x) { return nn::dense(s / "d", x, 1) + nn::dense(s.share("d"), x, 1); };
  EXPECT_THROW((void)step_of(mixed).init(numbers(), 1), UsageError);
  const auto within = [](Scope s, Var x) {
    const Scope d = s.share("d");
    return nn::dense(d, x, 1) + nn::dense(d, x, 1);
  };
  EXPECT_THROW((void)step_of(within).init(numbers(), 1), UsageError);
}

TEST(Share, EachCallDrawsItsOwnNumbers) {
  const auto part = [](Scope s, const Shape& shape) { return (s / "inside").uniform("u", shape); };
  const auto difference = [&](Scope s, Var x) { return part(s.share("d"), x.shape()) - part(s.share("d"), x.shape()); };
  const auto first = [&](Scope s, Var x) { return part(s / "d", x.shape()); };
  const auto of_share = [&](Scope s, Var x) { return part(s.share("d"), x.shape()); };
  const Tensor d = evaluated(difference, 16, 1, 1);
  for (std::int64_t i = 0; i < d.size(); ++i) EXPECT_NE(d.at(i), 0);
  EXPECT_TRUE(identical(evaluated(first, 16, 1, 1), evaluated(of_share, 16, 1, 1)));
}

TEST(Share, EachCallUpdatesTheStatistics) {
  const auto part = [](Scope s, const Var& x, double momentum) {
    (void)s.statistic("mean", {width}, 5);
    s.observe("mean", per_shard(mean(x, 0)), momentum);
    return x;
  };
  const auto model = [&](Scope s, Var x) {
    const Var once = part(s.share("d"), x, 0.25);
    const Var twice = part(s.share("d"), 3 * x, 0.5);
    return nn::dense(s / "out", once + twice, 1);
  };
  const Tensor x = numbers()["input"];
  const State state = after(1, model, 1, rows);
  for (std::int64_t j = 0; j < width; ++j) {
    double mean_now = 0;
    for (std::int64_t i = 0; i < rows; ++i) mean_now += x.at(i * width + j) / static_cast<double>(rows);
    const double once = 0.75 * 5 + 0.25 * mean_now, twice = 0.5 * once + 0.5 * 3 * mean_now;
    EXPECT_NEAR(state.parameter("d/mean").at(j), twice, 1e-13);
  }
}

TEST(Report, IsAMeanOverTheBatch) {
  const auto objective = [](Scope s, const Batch& b) {
    const Var x = b["input"];
    s.report("square", square(x));
    (s / "part").report("scalar", mean(x));
    return Loss::of_samples(x * s.parameter("w", {1}));
  };
  const Tensor x = numbers()["input"];
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) sum += x.at(i), squares += x.at(i) * x.at(i);
  const auto n = static_cast<double>(x.size());
  TrainStep step(objective, optim::sgd({.lr = 0.1}), 2);
  State state = step.init(numbers(), 1, f64);
  for (const std::int64_t shard_size : {rows, std::int64_t{5}}) {
    const StepReport report = step(state, numbers(), {}, shard_size);
    ASSERT_EQ(report.metrics.size(), 2U);
    EXPECT_EQ(report.metrics[0].first, "square");
    EXPECT_NEAR(report.metrics[0].second, squares / n, 1e-13);
    EXPECT_EQ(report.metrics[1].first, "part/scalar");
    EXPECT_NEAR(report.metrics[1].second, sum / n, 1e-13);
  }
}

TEST(Report, NeedsAUniqueNameAndOneValuePerSample) {
  const auto refused = [](const std::function<void(Scope, Var)>& report) {
    const auto model = [&](Scope s, Var x) {
      report(s, x);
      return nn::dense(s / "out", x, 1);
    };
    EXPECT_THROW((void)step_of(model).init(numbers(), 1), UsageError);
  };
  refused([](Scope s, const Var& x) { s.report("loss", x); });
  refused([](Scope s, const Var& x) { s.report("x", x), s.report("x", x); });
  refused([](Scope s, const Var& x) { s.report("x", reshape(x, {1, x.size()})); });
}

TEST(Statistic, MovesTowardsTheObservedValues) {
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
  // the parameters differ, because each shard subtracts its own mean
  EXPECT_GT(distance(whole.parameter("out/weight"), shards.parameter("out/weight")), 1e-6);
}

TEST(Statistic, IsReadButNotUpdatedInEvaluation) {
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
