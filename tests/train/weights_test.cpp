// Weights of rows: in the loss, in gradients, in metrics, and rows of weight 0.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Tensor column(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1}).to(f32);
}

/// y is a curve and the weights grow with x, so the best line depends on the weights.
struct Curve {
  std::vector<double> x, y, w;
  Dataset data;
  Curve() {
    for (int i = 0; i < 32; ++i) {
      x.push_back(i / 16.0 - 1);
      y.push_back(x.back() * x.back());
      w.push_back(0.05 + i * i / 100.0);
    }
    data.set("input", column(x));
    data.set("target", column(y));
    data.set("weight", column(w).reshape({32}));
  }
  /// Intercept and slope of weighted least squares, from the normal equations.
  [[nodiscard]] std::pair<double, double> line() const {
    double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sw += w[i];
      sx += w[i] * x[i];
      sy += w[i] * y[i];
      sxx += w[i] * x[i] * x[i];
      sxy += w[i] * x[i] * y[i];
    }
    const double slope = (sw * sxy - sx * sy) / (sw * sxx - sx * sx);
    return {(sy - slope * sx) / sw, slope};
  }
  [[nodiscard]] double mean_loss_at(double intercept, double slope) const {
    double sum = 0, weight = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum += w[i] * std::pow(intercept + slope * x[i] - y[i], 2);
      weight += w[i];
    }
    return sum / weight;
  }
};

Trainer line_trainer(const Optimizer& optimizer) { return {nn::linear(1), loss::mse, optimizer, 1}; }

TEST(Weights, EveryBatchSizeEndsAtTheWeightedSolution) {
  const Curve curve;
  const auto [intercept, slope] = curve.line();
  for (const std::int64_t batch : {1, 4, 32}) {
    Trainer trainer = line_trainer(optim::sgd({.lr = 0.05, .schedule = schedule::cosine({.end = 0})}));
    (void)trainer.fit(curve.data, {.epochs = 400 * batch, .batch_size = batch});
    EXPECT_NEAR(trainer.state().parameter("output/bias").item(), intercept, 0.02) << "batches of " << batch;
    EXPECT_NEAR(trainer.state().parameter("output/weight").item(), slope, 0.02) << "batches of " << batch;
  }
}

TEST(Weights, AStepDividesByRowsTimesTheMeanWeight) {
  // the weights are 1 and 3, with mean 2; the gradient of w (p - y)^2 at p = 0 is -2 w y
  Dataset data;
  data.set("input", column({0, 0}));
  data.set("target", column({1, 10}));
  data.set("weight", Tensor::of({1.F, 3.F}));
  const auto bias_after = [&](FitOptions options) {
    options.shuffle = false;
    Trainer trainer([](Scope s, Var x) { return x * 0 + s.parameter("bias", {1}); }, loss::mse,
                    optim::sgd({.lr = 0.01}), 1);
    const History history = trainer.fit(data, options);
    return std::pair(trainer.state().parameter("bias").item(), history);
  };
  const auto [first, one] = bias_after({.steps = 1, .batch_size = 1});
  EXPECT_NEAR(first, 0.01 * 2 * 1 * 1 / 2.0, 1e-8);
  EXPECT_NEAR(one.steps[0].gradient_norm, 1, 1e-6);
  EXPECT_EQ(one.steps[0].loss, 1);
  EXPECT_EQ(one.steps[0].weight, 1);
  const double both = 0.01 * (2 * 1 * 1 + 2 * 3 * 10) / 4.0;
  EXPECT_NEAR(bias_after({.steps = 1, .batch_size = 2}).first, both, 1e-7);
  EXPECT_EQ(bias_after({.steps = 1, .batch_size = 2, .shard_size = 1}).first,
            bias_after({.steps = 1, .batch_size = 1, .shard_size = 1, .accumulate = 2}).first);
}

TEST(Weights, AnEpochsLossIsTheWeightedMean) {
  const Curve curve;
  for (const std::int64_t batch : {1, 5, 32}) {
    Trainer trainer = line_trainer(optim::sgd({.lr = 1e-12}));
    const History history = trainer.fit(curve.data, {.epochs = 2, .batch_size = batch});
    const State& state = trainer.state();
    const double wanted =
        curve.mean_loss_at(state.parameter("output/bias").item(), state.parameter("output/weight").item());
    for (const EpochReport& epoch : history.epochs) EXPECT_NEAR(epoch.metrics[0].second, wanted, 1e-5 * wanted);
  }
}

/// Sums of such weights are not finite in f32, or too close to 0.
TEST(Weights, OnlyTheirRatiosCountHoweverLargeTheyAre) {
  const auto loss_with = [](double scale) {
    Curve curve;
    for (double& weight : curve.w) weight *= scale;
    curve.data.set("weight", column(curve.w).reshape({32}));
    Trainer trainer = line_trainer(optim::sgd({.lr = 0.05}));
    const History history = trainer.fit(curve.data, {.epochs = 3, .batch_size = 4, .validation_data = curve.data});
    return std::pair(history.epochs.back().metrics[0].second, trainer.evaluate(curve.data)["loss"]);
  };
  const auto [trained, evaluated] = loss_with(1);
  for (const double scale : {0x1p-100, 0x1p-40, 0x1p40, 0x1p124}) {
    EXPECT_DOUBLE_EQ(loss_with(scale).first, trained) << scale;
    EXPECT_DOUBLE_EQ(loss_with(scale).second, evaluated) << scale;
  }
}

TEST(Weights, OfClassesActLikeThoseOfRows) {
  Dataset data;
  data.set("input", random_normal({30, 3}, 1));
  Tensor labels({30}, i32), weights({30});
  for (std::int64_t i = 0; i < 30; ++i) {
    labels.set(i, static_cast<double>(i % 5 == 0));
    weights.set(i, i % 5 == 0 ? 4 : 1);
  }
  data.set("target", labels);
  Dataset by_row = data;
  by_row.set("weight", weights);
  const FitOptions options{.epochs = 2, .batch_size = 4};
  Trainer a(nn::linear(2), loss::cross_entropy({.class_weights = {1, 4}}), optim::sgd({.lr = 0.1}), 1);
  Trainer b(nn::linear(2), loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  const History first = a.fit(data, options), second = b.fit(by_row, options);
  for (std::int64_t i = 0; i < a.state().parameters.size(); ++i)
    EXPECT_NEAR(a.state().parameters.at(i), b.state().parameters.at(i), 1e-6);
  EXPECT_NEAR(first.epochs[1].metrics[0].second, second.epochs[1].metrics[0].second, 1e-6);
}

TEST(Weights, ABatchWithoutWeightIsAStepWithoutEffect) {
  Dataset nothing, something;
  nothing.set("input", column({5, 6}));
  nothing.set("target", column({1, 2}));
  nothing.set("weight", zeros({2}));
  something = nothing;
  something.set("weight", ones({2}));
  const Objective objective = objective_of(nn::linear(1), loss::mse);
  for (const Optimizer& optimizer : {optim::adamw({.lr = 0.1}), optim::sgd({.lr = 0.1, .momentum = 0.9}),
                                     optim::prepend(optim::skip_nonfinite(), optim::adam({.lr = 0.1}))}) {
    TrainStep step(objective, optimizer, 1), direct(objective, optimizer, 1);
    State state = step.init(something, 1), wanted = direct.init(something, 1);
    for (int i = 0; i < 3; ++i) {
      const Tensor before = state.parameters;
      const StepReport report = step(state, nothing);
      EXPECT_EQ(report.weight, 0);
      EXPECT_EQ(report.loss, 0);
      EXPECT_TRUE(identical(state.parameters, before));
    }
    EXPECT_EQ(state.step, 3);
    (void)step(state, something);
    (void)direct(wanted, something);
    EXPECT_TRUE(identical(state.parameters, wanted.parameters)) << "the update rule counts one step";
  }
}

TEST(SkippedSteps, AreNotCountedByTheUpdateRule) {
  const Objective objective = [](Scope s, const Batch& b) {
    return Loss::of_samples(sum(b["input"] * s.parameter("w", {1}), 1));
  };
  Dataset broken, sound;
  broken.set("input", column({nan}));
  sound.set("input", column({1}));
  for (const int skipped : {0, 1, 20}) {
    TrainStep step(objective, optim::prepend(optim::skip_nonfinite(), optim::adam({.lr = 1})), 1);
    State state = step.init(sound, 1);
    for (int i = 0; i < skipped; ++i) (void)step(state, broken);
    EXPECT_EQ(state.slots.front().second.at(0), skipped);
    (void)step(state, sound);
    EXPECT_NEAR(state.parameter("w").item(), -1, 1e-6) << "Adam's first step, after " << skipped << " skipped";
  }
}

TEST(Weights, OnlyZerosAreRefusedButSomeZerosAreAllowed) {
  Curve curve;
  std::vector<double> some(32, 0);
  some[30] = 1;
  curve.data.set("weight", column(some).reshape({32}));
  Trainer trainer = line_trainer(optim::adam({.lr = 0.1}));
  const History history = trainer.fit(curve.data, {.epochs = 2, .batch_size = 4});
  EXPECT_EQ(history.steps.size(), 2U) << "one row has weight";
  for (const EpochReport& epoch : history.epochs) EXPECT_TRUE(std::isfinite(epoch.metrics[0].second));
  curve.data.set("weight", zeros({32}));
  EXPECT_THROW((void)line_trainer(optim::adam()).fit(curve.data, {.epochs = 1}), DataError);
}

TEST(CountedRows, RowsOfWeightZeroAreInNoMetric) {
  Dataset data;
  data.set("input", column({1, 2, 3, 4}));
  data.set("target", column({1, 2, nan, 5}));
  data.set("weight", Tensor::of({1.F, 2.F, 0.F, 1.F}));
  const std::vector<std::int64_t> rows = {0, 1, 3};
  const Dataset removed = data.take(rows);
  Trainer trainer = line_trainer(optim::sgd({.lr = 0.1}));
  trainer.init(data, 1);
  const Evaluation all = trainer.evaluate(data), kept = trainer.evaluate(removed);
  for (const char* metric : {"rmse", "mae", "r2"}) {
    EXPECT_TRUE(std::isfinite(kept[metric])) << metric;
    EXPECT_NEAR(all[metric], kept[metric], 1e-12) << metric;
  }
}

TEST(CountedRows, RowsOfWeightZeroMayHaveAnyValues) {
  Curve curve;
  std::vector<std::int64_t> kept;
  Tensor weights = curve.data["weight"], input = curve.data["input"];
  for (std::int64_t row = 0; row < 32; ++row) {
    if (row % 3 != 1) {
      kept.push_back(row);
      continue;
    }
    weights.set(row, 0);
    input.set(row, row % 2 ? nan : 1e30);
  }
  curve.data.set("weight", weights);
  const Dataset removed = curve.data.take(kept);
  curve.data.set("input", input);
  Trainer a = line_trainer(optim::adam({.lr = 0.1})), b = line_trainer(optim::adam({.lr = 0.1}));
  const FitOptions options{.epochs = 5, .batch_size = 4, .validation = 0.2};
  const History with = a.fit(curve.data, options), without = b.fit(removed, options);
  EXPECT_TRUE(identical(a.state().parameters, b.state().parameters));
  EXPECT_EQ(with.epochs.back().metrics, without.epochs.back().metrics);
  EXPECT_NEAR(a.evaluate(curve.data)["loss"], b.evaluate(removed)["loss"], 1e-7);
  EXPECT_NEAR(a.evaluate(curve.data)["r2"], b.evaluate(removed)["r2"], 1e-7);
}

TEST(CountedRows, IgnoredLabelsAreInNoMetric) {
  Dataset data;
  data.set("input", random_normal({6, 3}, 1));
  data.set("target", Tensor::of<std::int32_t>({0, 1, -100, 1, -100, 0}));
  Trainer trainer(nn::linear(2), loss::cross_entropy({.ignored_labels = {-100}}), optim::sgd({.lr = 0.1}), 1);
  trainer.init(data, 1);
  const std::vector<std::int64_t> rows = {0, 1, 3, 5};
  const Evaluation all = trainer.evaluate(data), kept = trainer.evaluate(data.take(rows));
  for (const char* metric : {"loss", "accuracy", "f1", "auc"}) EXPECT_NEAR(all[metric], kept[metric], 1e-6) << metric;
}

TEST(CountedRows, IgnoredTokensHaveNoBytes) {
  Dataset data;
  data.set("input", Tensor::from(std::vector<std::int32_t>{0, 1, 2, 0}, {2, 2}));
  data.set("target", Tensor::from(std::vector<std::int32_t>{1, 2, 0, 2}, {2, 2}));
  data.set_unit({.token_bytes = Tensor::of({1.0, 2.0, 100.0})});
  Trainer trainer([](Scope s, Var tokens) { return nn::embedding(s / "e", tokens, {.count = 3, .width = 3}); },
                  loss::cross_entropy({.ignored_labels = {2}}), optim::sgd({.lr = 0.1}), 1);
  trainer.init(data, 1);
  const Evaluation measured = trainer.evaluate(data);
  // tokens 1 and 0 count; they have 2 bytes and 1 byte
  EXPECT_NEAR(measured["bits_per_byte"], measured["loss"] * 2 / (std::log(2.0) * 3), 1e-9);
}

TEST(BatchNorm, ABatchOfOneRowDoesNotChangeTheStatistics) {
  const auto statistics_after = [](std::int64_t rows, std::int64_t batch, std::int64_t shard) {
    Dataset data;
    data.set("input", random_normal({65, 2}, 3).rows(0, rows));
    data.set("target", random_normal({65, 1}, 4).rows(0, rows));
    Trainer trainer([](Scope s, Var x) { return nn::dense(s / "out", nn::batch_norm(s / "norm", x), 1); }, loss::mse,
                    optim::sgd({.lr = 1e-9}), 1);
    (void)trainer.fit(data, {.epochs = 1, .batch_size = batch, .shard_size = shard, .shuffle = false});
    return trainer.state().parameter("norm/variance");
  };
  EXPECT_TRUE(identical(statistics_after(65, 32, 32), statistics_after(64, 32, 32)));
  // in a batch with a shard of one row, the mean is over the other shards
  const Tensor with = statistics_after(33, 33, 16), without = statistics_after(32, 32, 16);
  for (std::int64_t i = 0; i < 2; ++i) EXPECT_NEAR(with.at(i), without.at(i), 1e-6);
}

}  // namespace
}  // namespace thalweg
