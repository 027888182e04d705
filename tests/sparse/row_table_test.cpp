// A table whose rows are updated only when they have a gradient gives the result of updating all rows in every step.

#include "sparse/row_table.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "optim/descent.hpp"
#include "thalweg/error.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t rows = 40, width = 2;

/// The few rows that have a gradient in a step.
std::vector<std::int32_t> rows_of(int step) {
  return {step % 7, 10 + step % 3, static_cast<std::int32_t>(20 + (step * 5) % 19)};
}
float gradient_of(int step, std::int32_t row, std::int64_t column) {
  return static_cast<float>(std::sin(step + row * 3 + static_cast<int>(column)));
}

Tensor dense_after(const Optimizer& optimizer, int steps) {
  Tensor x({rows, width}), gradient({rows, width});
  Descent descent(optimizer, x);
  for (int step = 0; step < steps; ++step) {
    gradient = zeros({rows, width});
    for (const std::int32_t row : rows_of(step)) {
      for (std::int64_t c = 0; c < width; ++c) gradient.set(row * width + c, gradient_of(step, row, c));
    }
    descent.step(x, gradient, norm_of(gradient), {.step = step, .total = 1000});
  }
  return x;
}

void take(RowTable& table, int step, double lr) {
  const auto touched = table.touch(rows_of(step));
  std::size_t place = 0;
  for (const std::int32_t row : rows_of(step)) {
    for (std::int64_t c = 0; c < width; ++c) touched.gradient[place++] = gradient_of(step, row, c);
  }
  (void)table.step(1, lr);
}

RowTable sparse_after(const Optimizer& optimizer, int steps) {
  RowTable table(optimizer, rows, width);
  for (int step = 0; step < steps; ++step) take(table, step, optimizer.lr);
  return table;
}

void expect_equal(const Optimizer& optimizer) {
  RowTable table = sparse_after(optimizer, 60);
  table.settle();
  const Tensor dense = dense_after(optimizer, 60);
  for (std::int64_t i = 0; i < dense.size(); ++i)
    EXPECT_NEAR(table.values().at(i), dense.at(i), 2e-5 * std::max(1.0, std::abs(dense.at(i)))) << optimizer.name << i;
}

TEST(RowTable, GivesTheResultOfUpdatingAllRows) {
  expect_equal(optim::adagrad({.lr = 0.1}));
  expect_equal(optim::ftrl({.lr = 0.1, .l1 = 0.01, .l2 = 0.1}));
  expect_equal(optim::sgd({.lr = 0.1}));
  expect_equal(optim::sgd({.lr = 0.1, .weight_decay = 0.05}));
}

TEST(RowTable, SlotsOfRowsWithoutAGradientDecayInEveryStep) {
  const RestingRow adam = resting_row(optim::adam({.beta1 = 0.8, .beta2 = 0.95}));
  ASSERT_EQ(adam.slots.size(), 2u);
  EXPECT_NEAR(adam.slots[0], 0.8, 1e-12);
  EXPECT_NEAR(adam.slots[1], 0.95, 1e-12);
  EXPECT_EQ(adam.decay, 0);
  EXPECT_NEAR(resting_row(optim::adamw({.weight_decay = 0.03})).decay, 0.03, 1e-9);
  EXPECT_EQ(resting_row(optim::adagrad({})).slots, std::vector<double>{1});
}

TEST(RowTable, OptimizersThatNeedAllParametersAreRefused) {
  EXPECT_THROW((void)resting_row(optim::lamb({})), UsageError);
  EXPECT_THROW((void)resting_row(optim::lars({.lr = 0.1})), UsageError);
  EXPECT_THROW((void)resting_row(optim::schedule_free_adamw({})), UsageError);
}

TEST(RowTable, ResumesFromItsStateWithTheSameBits) {
  const Optimizer optimizer = optim::adamw({.lr = 0.05, .weight_decay = 0.1});
  RowTable whole = sparse_after(optimizer, 40), again(optimizer, rows, width);
  again.restore(sparse_after(optimizer, 23).state());
  for (int step = 23; step < 40; ++step) take(again, step, optimizer.lr);
  const auto a = whole.state(), b = again.state();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(identical(a[i].second, b[i].second)) << a[i].first;
  RowTable other(optim::adagrad({}), rows, width);
  EXPECT_THROW(other.restore(a), ModelError);
}

TEST(RowTable, AGradientThatIsNotFiniteChangesNothing) {
  RowTable table = sparse_after(optim::adagrad({}), 5);
  const auto before = table.state();
  const auto touched = table.touch(rows_of(6));
  touched.gradient[0] = std::nanf("");
  EXPECT_THROW((void)table.step(1, 0.1), NumericError);
  const auto after = table.state();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(identical(before[i].second, after[i].second));
}

/// The gradient is finite, but not the parameter, the squares that Adagrad adds up, or the product of all decays.
TEST(RowTable, AStepThatWouldEndBeyondAllNumbersChangesNothing) {
  struct Case {
    Optimizer optimizer;
    float gradient;
    double lr;
  };
  for (const auto& [optimizer, gradient, lr] :
       {Case{optim::sgd({.lr = 0.1}), 1e30F, 1e10}, Case{optim::adagrad({.lr = 0.1}), 1e30F, 0.1},
        Case{optim::nadam({.lr = 0.1}), 1, 1e39}, Case{optim::adamw({.lr = 0.1, .weight_decay = 0.5}), 1, 3}}) {
    RowTable table = sparse_after(optimizer, 5);
    const auto before = table.state();
    table.touch(rows_of(6)).gradient[0] = gradient;
    EXPECT_THROW((void)table.step(1, lr), NumericError) << optimizer.name;
    const auto after = table.state();
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(identical(before[i].second, after[i].second)) << optimizer.name << before[i].first;
    take(table, 6, optimizer.lr);  // it goes on
    EXPECT_EQ(table.steps(), 6);
  }
}

}  // namespace
}  // namespace thalweg
