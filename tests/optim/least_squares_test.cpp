#include "thalweg/least_squares.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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

TEST(LeastSquares, RefusesAStartWithoutNumbersAndAConfidenceThatIsNone) {
  EXPECT_THROW((void)least_squares([](Var x) { return x; }, zeros({0}, f64)), UsageError);
  const auto result = least_squares([](Var x) { return concat({x, x - 1}); }, zeros({1}, f64));
  for (const double confidence : {0.0, 1.0, -0.5, std::nan("")}) {
    try {
      (void)result.interval(0, confidence);
      ADD_FAILURE() << confidence;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("confidence"), std::string::npos) << error.what();
    }
  }
  const auto [low, high] = result.interval(0, 0.95);
  EXPECT_NEAR(high - low, 2 * 12.7062047361747046 * result.standard_error(0), 1e-12);
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

/// The expected values were computed by mpmath with 40 digits.
TEST(Student, QuantilesAreRightInTheTailsAtTheCentreAndForALargeFreedom) {
  struct Row {
    double p, freedom, t;
  };
  const Row rows[] = {{1e-20, 5, -15683.9254543657759},
                      {1e-15, 5, -1568.39119282287734},
                      {1e-300, 1, -3.18309886183790664e+299},
                      {1e-100, 40, -1866.19366716715731},
                      {0.5 + 1e-9, 5, 2.63430544963702411e-9},
                      {0.5 - 1e-12, 1000, -2.50719954514024809e-12},
                      {0.251, 0.1, -161.652327270155098},
                      {0.249, 0.1, -175.115976258703918},
                      {0.975, 10000.0, 1.96020123989062588},
                      {1e-50, 99999, -14.9417043829782597},
                      {1e-50, 100001, -14.9417042155644464},
                      {0.975, 10000000000.0, 1.95996398477728098},
                      {0.975, 1000000000000000.0, 1.95996398454005623}};
  for (const auto& [p, freedom, t] : rows)
    EXPECT_NEAR(student_quantile(p, freedom) / t, 1, 1e-12) << p << ", " << freedom;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_NEAR(student_quantile(0.975, infinity), 1.95996398454005424, 1e-14);
  EXPECT_EQ(student_quantile(1e-300, 0.1), -infinity);  // beyond the range of f64
  for (const double p : {0.0, 1.0, -1.0, std::nan("")}) EXPECT_THROW((void)student_quantile(p, 3), UsageError);
  for (const double freedom : {0.0, -1.0, std::nan("")}) EXPECT_THROW((void)student_quantile(0.9, freedom), UsageError);
}

}  // namespace
}  // namespace thalweg
