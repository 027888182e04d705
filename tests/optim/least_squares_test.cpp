#include "thalweg/least_squares.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

/// (10 (y - x^2), 1 - x): Rosenbrock's function as a sum of squares.
Var rosenbrock(Var x) {
  const Var a = slice(x, 0, 1), b = slice(x, 1, 2);
  return concat({10 * (b - square(a)), 1 - a});
}

TEST(LeastSquares, ReachesTheMinimumOfRosenbrock) {
  for (const bool acceleration : {true, false}) {
    const auto result = least_squares(rosenbrock, Tensor::of({-1.2, 1.0}), {.acceleration = acceleration});
    EXPECT_TRUE(result.converged()) << result.summary();
    EXPECT_NEAR(result.x.at(0), 1, 1e-14);
    EXPECT_NEAR(result.x.at(1), 1, 1e-14);
    EXPECT_LE(result.evaluations, 60);
  }
}

/// Residuals of any shape, and more parameters than the final refinement by Newton's method supports.
TEST(LeastSquares, SolvesALinearProblemOfManyParameters) {
  constexpr std::int64_t rows = 200, columns = 60;
  const Tensor a = random_normal({rows, columns}, 3, f64), truth = random_normal({columns, 1}, 4, f64);
  const auto f = [&](Var x) { return matmul(constant(a), reshape(x, {columns, 1}) - constant(truth)); };
  const auto result = least_squares(f, zeros({columns}, f64));
  EXPECT_TRUE(result.converged()) << result.summary();
  for (std::int64_t i = 0; i < columns; ++i) EXPECT_NEAR(result.x.at(i), truth.at(i), 1e-9);
}

TEST(LeastSquares, StopsAtItsLimits) {
  EXPECT_EQ(least_squares(rosenbrock, Tensor::of({-1.2, 1.0}), {.max_steps = 3}).reason, LeastSquaresReason::max_steps);
  const auto stopped = least_squares(rosenbrock, Tensor::of({-1.2, 1.0}), {.stop = Stop([] { return true; })});
  EXPECT_EQ(stopped.reason, LeastSquaresReason::stop_requested);
  EXPECT_EQ(stopped.steps, 0);
  const auto nowhere = least_squares([](Var x) { return log(x); }, Tensor::of({-1.0}));
  EXPECT_EQ(nowhere.reason, LeastSquaresReason::not_finite);
}

TEST(LeastSquares, RefusesFewerResidualsThanParameters) {
  EXPECT_THROW((void)least_squares([](Var x) { return sum(x); }, zeros({2}, f64)), UsageError);
  EXPECT_THROW((void)least_squares(rosenbrock, zeros({2}, f64), {.damping = 0}), UsageError);
}

/// The expected values were computed by mpmath with 30 digits.
TEST(Student, QuantilesAreRightToTenDigits) {
  EXPECT_NEAR(student_quantile(0.975, 1), 12.7062047361747046, 1e-11);
  EXPECT_NEAR(student_quantile(0.975, 4), 2.77644510519779436, 1e-13);
  EXPECT_NEAR(student_quantile(0.995, 12), 3.05453958939290213, 1e-13);
  EXPECT_NEAR(student_quantile(0.9, 250), 1.28494705542225577, 1e-12);
  EXPECT_NEAR(student_quantile(0.025, 100000), -1.95998770753460964, 1e-10);
  EXPECT_EQ(student_quantile(0.5, 3), 0);
}

}  // namespace
}  // namespace thalweg
