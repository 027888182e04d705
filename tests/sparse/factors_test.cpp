// Factors of a recommender: a step follows the gradient of the loss in the header. row_table_test.cpp tests the rest.

#include "sparse/factors.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/error.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t kinds = 3;
// users are 0 to 2, items 3 to 5, and the levels of a further column 6 and 7
const std::vector<std::int32_t> rows = {0, 3, 6, 0, 4, 7, 1, 3, 7, 2, 5, 6, 1, 5, -1};
const std::vector<float> values = {4, 2, 5, 1, 3};
const std::vector<std::int64_t> counts = {4, 2, 3, 5, 1, 2, 6, 9};
constexpr double rate = 0.05;

FactorOptions options() { return {.width = 3, .bias_ridge = 2, .factor_ridge = 3, .deviation = 0.5}; }

/// Bias and factors of each level, then the mean.
std::vector<double> numbers_of(const Factors& model) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < std::ssize(counts) * 4 + 1; ++i) all.push_back(model.table().values().at(i));
  return all;
}

double plain_prediction(const std::vector<double>& x, std::span<const std::int32_t> row) {
  double sum = x[counts.size() * 4];
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] < 0) continue;
    sum += x[static_cast<std::size_t>(row[i]) * 4];
    for (std::size_t j = i + 1; j < row.size(); ++j) {
      for (std::size_t k = 1; k < 4 && row[j] >= 0; ++k)
        sum += x[static_cast<std::size_t>(row[i]) * 4 + k] * x[static_cast<std::size_t>(row[j]) * 4 + k];
    }
  }
  return sum;
}

/// The penalised sum of squares of these rows, in plain code.
double plain_loss(const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t r = 0; r < values.size(); ++r) {
    const auto row = std::span(rows).subspan(r * kinds, kinds);
    const double error = plain_prediction(x, row) - static_cast<double>(values[r]);
    sum += error * error / 2;
    for (const std::int32_t category : row) {
      if (category < 0) continue;
      const auto c = static_cast<std::size_t>(category);
      for (std::size_t k = 0; k < 4; ++k)
        sum += (k == 0 ? 2.0 : 3.0) / 2 * x[c * 4 + k] * x[c * 4 + k] / static_cast<double>(counts[c]);
    }
  }
  return sum;
}

TEST(Factors, AStepFollowsTheGradientOfItsLoss) {
  Factors model(options(), counts, 3, optim::sgd({.lr = rate}), 5);
  const std::vector<double> before = numbers_of(model);
  for (std::size_t r = 0; r < values.size(); ++r) {
    const auto row = std::span(rows).subspan(r * kinds, kinds);
    EXPECT_NEAR(model.predict(row), plain_prediction(before, row), 1e-6);
  }
  const Factors::Learned learned = model.learn(rows, values, rate);
  const std::vector<double> after = numbers_of(model);
  double squares = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    std::vector<double> up = before, down = before;
    up[i] += 1e-5;
    down[i] -= 1e-5;
    const double slope = (plain_loss(up) - plain_loss(down)) / 2e-5 / static_cast<double>(values.size());
    EXPECT_NEAR(after[i], before[i] - rate * slope, 2e-6) << i;
    squares += slope * slope;
  }
  EXPECT_NEAR(learned.gradient_norm, std::sqrt(squares), 1e-5);
}

TEST(Factors, LevelsThatWereNeverTrainedAddNothing) {
  const Factors model(options(), counts, 3, optim::sgd({.lr = rate}), 5);
  const std::vector<std::int32_t> none = {-1, -1, -1}, one = {1, -1, -1};
  EXPECT_EQ(model.predict(none), 3);
  EXPECT_NEAR(model.predict(one), 3 + model.table().values().at(4), 1e-12);
}

TEST(Factors, OfWidthZeroAreOnlyBiases) {
  Factors model({.width = 0, .bias_ridge = 0}, counts, 3, optim::sgd({.lr = 0.3}), 5);
  for (int i = 0; i < 3000; ++i) (void)model.learn(rows, values, 0.3);
  for (std::size_t r = 0; r < values.size(); ++r)
    EXPECT_NEAR(model.predict(std::span(rows).subspan(r * kinds, kinds)), static_cast<double>(values[r]), 1e-3);
}

TEST(Factors, ARatingThatIsNotFiniteIsRefused) {
  Factors model(options(), counts, 3, optim::adagrad({}), 5);
  std::vector<float> broken = values;
  broken[1] = std::nanf("");
  EXPECT_THROW((void)model.learn(rows, broken, rate), NumericError);
}

}  // namespace
}  // namespace thalweg
