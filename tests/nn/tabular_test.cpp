#include "thalweg/tabular.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "thalweg/error.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

/// y = sin(4 a) + b, which a network with one hidden layer on plain a and b learns slowly.
Dataset waves(std::int64_t rows, std::uint64_t seed) {
  const Tensor x = random_normal({rows, 2}, seed);
  Tensor y({rows, 1});
  for (std::int64_t i = 0; i < rows; ++i) y.set(i, std::sin(4 * x.at(2 * i)) + x.at(2 * i + 1));
  Dataset data;
  data.set("input", x);
  data.set("target", y);
  return data;
}

Trainer trainer_of(const nn::TabularOptions& options, int threads = 1) {
  return {nn::tabular(1, options), loss::mse, optim::adamw({.lr = 0.005, .schedule = schedule::cosine()}), threads};
}

double test_error(const nn::TabularOptions& options) {
  Trainer trainer = trainer_of(options);
  trainer.fit(waves(1000, 1), {.epochs = 40, .batch_size = 50});
  return trainer.evaluate(waves(500, 2))["loss"];
}

TEST(Tabular, LearnsAWave) {
  EXPECT_LT(test_error({.hidden = {32, 32}, .dropout = 0, .frequency_deviation = 0.5}), 0.05);
}

TEST(Tabular, EachPartCanBeLeftOut) {
  for (const nn::TabularOptions& options :
       {nn::TabularOptions{.hidden = {8}, .clip = false}, nn::TabularOptions{.hidden = {8}, .scale = false},
        nn::TabularOptions{.hidden = {8}, .frequencies = 0, .pieces = 0},
        nn::TabularOptions{.hidden = {8}, .members = 1}, nn::TabularOptions{.hidden = {8}, .most_embedded = 1},
        nn::TabularOptions{.hidden = {8}, .numbers = {1}}, nn::TabularOptions{.hidden = {}}}) {
    Trainer trainer = trainer_of(options);
    EXPECT_TRUE(std::isfinite(trainer.fit(waves(100, 1), {.epochs = 2}).epochs.back().metrics[0].second));
  }
}

/// Evaluation is deterministic: it is the mean of all members.
TEST(Tabular, EvaluationIsTheMeanOfTheMembers) {
  const nn::TabularOptions options{
      .hidden = {}, .clip = false, .scale = false, .frequencies = 0, .pieces = 0, .members = 3};
  Trainer trainer = trainer_of(options);
  const Dataset data = waves(20, 1);
  trainer.fit(data, {.epochs = 3});
  const State& state = trainer.state();
  const Tensor factors = state.parameter("member_inputs"), weights = state.parameter("output/weight"),
               biases = state.parameter("output/bias"), predicted = trainer.predict(data);
  for (std::int64_t row = 0; row < 20; ++row) {
    double sum = 0;
    for (std::int64_t m = 0; m < 3; ++m) {
      sum += biases.at(m);
      for (std::int64_t i = 0; i < 2; ++i)
        sum += data["input"].at(2 * row + i) * (1 + factors.at(2 * m + i)) * weights.at(2 * m + i);
    }
    EXPECT_NEAR(predicted.at(row), sum / 3, 1e-5) << row;
  }
}

/// Far from the rows that it has seen a network can give anything. Training is without limits: a row beyond them would
/// have no gradient.
TEST(Tabular, PredictionsStayWithinTheLimits) {
  const auto predicted = [](const nn::TabularOptions& options, Tensor& parameters) {
    Trainer trainer = trainer_of(options);
    trainer.fit(waves(100, 1), {.epochs = 5});
    parameters = trainer.state().parameters;
    return trainer.predict(waves(200, 2));
  };
  Tensor bounded_parameters, free_parameters;
  const Tensor bounded = predicted({.hidden = {8}, .limits = {-0.5, 0.25}}, bounded_parameters),
               free = predicted({.hidden = {8}}, free_parameters);
  int beyond = 0;
  for (std::int64_t row = 0; row < 200; ++row) {
    EXPECT_EQ(bounded.at(row), std::clamp(free.at(row), -0.5, 0.25)) << row;
    if (free.at(row) < -0.5 || free.at(row) > 0.25) ++beyond;
  }
  EXPECT_GT(beyond, 20);
  EXPECT_LT(beyond, 180);
  for (std::int64_t i = 0; i < free_parameters.size(); ++i)
    ASSERT_EQ(bounded_parameters.at(i), free_parameters.at(i)) << i;
  for (const std::vector<double>& wrong : {std::vector<double>{1}, {1, 0}, {0, 1, 2}})
    EXPECT_THROW((void)nn::tabular(1, {.limits = wrong}), UsageError);
}

TEST(Tabular, EmbedsNumericInputs) {
  const auto frequencies = [](const nn::TabularOptions& options) {
    Trainer trainer = trainer_of(options);
    trainer.init(waves(10, 1), 1);
    return trainer.state().parameter("embedding/frequency").shape();
  };
  EXPECT_EQ(frequencies({.frequencies = 5}), (Shape{2, 5}));
  EXPECT_EQ(frequencies({.frequencies = 5, .numbers = {1}}), (Shape{1, 5}));
  EXPECT_THROW(frequencies({.numbers = {2}}), UsageError);
}

/// For the knots 0, 1, 1 and 3: the fraction of [0, 1] below x, whether x is above 1, and the fraction of [1, 3] below
/// x.
TEST(Tabular, PiecesAreTheFractionsBelowTheNumber) {
  const nn::TabularOptions options{
      .hidden = {}, .frequencies = 0, .pieces = 3, .knots = {0, 1, 1, 3}, .embedding = 1, .members = 1};
  Trainer trainer(nn::tabular(1, options), loss::mse, optim::sgd(), 1);
  Dataset data;
  data.set("input", Tensor::from(std::vector<float>{-1, 0.25, 1, 1.5, 9}, {5, 1}));
  data.set("target", Tensor({5, 1}));
  trainer.init(data, 1);
  const State& state = trainer.state();
  const Tensor inner = state.parameter("embedding/weight"), outer = state.parameter("output/weight"),
               predicted = trainer.predict(data);
  const double x[] = {-1, 0.25, 1, 1.5, 9}, parts[][3] = {{0, 0, 0}, {.25, 0, 0}, {1, 0, 0}, {1, 1, .25}, {1, 1, 1}};
  for (std::int64_t row = 0; row < 5; ++row) {
    double embedded = 0;
    for (std::int64_t i = 0; i < 3; ++i) embedded += parts[row][i] * inner.at(i);
    EXPECT_NEAR(predicted.at(row), x[row] * outer.at(0) + embedded * outer.at(1), 1e-5) << row;
  }
  EXPECT_THROW(trainer_of({.pieces = 3, .knots = {0, 1}}).init(waves(10, 1), 1), UsageError);
}

/// Every member gets a gradient: none of the biases stays at its initial 0.
TEST(Tabular, EveryMemberIsTrained) {
  Trainer trainer =
      trainer_of({.hidden = {}, .clip = false, .scale = false, .frequencies = 0, .pieces = 0, .members = 4});
  trainer.fit(waves(64, 1), {.epochs = 1, .batch_size = 64});
  const Tensor biases = trainer.state().parameter("output/bias");
  for (std::int64_t m = 0; m < 4; ++m) EXPECT_NE(biases.at(m), 0) << m;
}

TEST(Tabular, TheBitsAreTheSameForAnyNumberOfThreads) {
  const auto trained = [](int threads) {
    Trainer trainer = trainer_of({.hidden = {16, 16}}, threads);
    trainer.fit(waves(300, 1), {.epochs = 3, .batch_size = 64, .shard_size = 16});
    return trainer.state().parameters;
  };
  const Tensor one = trained(1), three = trained(3);
  for (std::int64_t i = 0; i < one.size(); ++i) ASSERT_EQ(one.at(i), three.at(i)) << i;
}

}  // namespace
}  // namespace thalweg
