#include "thalweg/minimize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "thalweg/curved_optimizers.hpp"
#include "thalweg/error.hpp"
#include "thalweg/methods.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {
namespace {

Var rosenbrock(Var x) {
  const Var head = slice(x, 0, -1), tail = slice(x, 1);
  return sum(square(1 - head) + 100 * square(tail - square(head)));
}

TEST(Minimize, AdamFindsTheMinimumOfRosenbrock) {
  const auto result = minimize(rosenbrock, full({10}, -1.2, f64), optim::adam({.lr = 1e-2}),
                               {.max_steps = 50'000, .gradient_norm = 1e-8});
  EXPECT_EQ(result.reason, MinimizeReason::gradient) << result.summary();
  EXPECT_LT(result.gradient_norm, 1e-8);
}

TEST(Minimize, ABlackBoxTakesTheSamePath) {
  const BlackBox bowl = [](std::span<const double> x, std::span<double> g) {
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      value += (x[i] - 3) * (x[i] - 3);
      g[i] = 2 * (x[i] - 3);
    }
    return value;
  };
  const double start[] = {0, 10};
  const auto result = minimize_black_box(bowl, start, optim::sgd({.lr = 0.1}), {.max_steps = 200});
  EXPECT_TRUE(result.converged()) << result.summary();
  EXPECT_NEAR(result.x.at(0), 3, 1e-6);
}

TEST(Minimize, StaysInsideBounds) {
  const auto result = minimize([](Var x) { return sum(square(x - 3)); }, zeros({2}, f64), optim::sgd({.lr = 0.1}),
                               {.max_steps = 100, .upper = full({2}, 1, f64)});
  EXPECT_EQ(result.x.at(0), 1);
}

TEST(Minimize, RefusesInvalidLimitsAndStarts) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto run = [](const Tensor& x0, const MinimizeOptions& options) {
    return minimize([](Var x) { return sum(square(x)); }, x0, optim::adam(), options).summary();
  };
  const Tensor start = ones({2}, f64), beside = Tensor::of({0.0, nan});
  EXPECT_THROW(run(zeros({0}, f64), {}), UsageError);
  EXPECT_THROW(run(start, {.max_steps = -1}), UsageError);
  EXPECT_THROW(run(start, {.gradient_norm = nan}), UsageError);
  EXPECT_THROW(run(start, {.value_change = nan}), UsageError);
  EXPECT_THROW(run(start, {.value = nan}), UsageError);
  EXPECT_THROW(run(start, {.lower = beside}), UsageError);
  EXPECT_THROW(run(start, {.upper = beside}), UsageError);
  EXPECT_THROW(run(start, {.lower = Tensor::of({0.0, 2.0}), .upper = ones({2}, f64)}), UsageError);
  EXPECT_NO_THROW(run(start, {.max_steps = 0, .lower = ones({2}, f64), .upper = ones({2}, f64)}));
}

/// A function that creates constants can be traced more than once, which products with the Hessian need.
TEST(Minimize, EveryMethodTakesFunctionsWithConstants) {
  const auto f = [](Var x) {
    const Var centre = constant(Tensor::of({1.0, -2.0}));
    return sum(square(square(x - centre))) + sum(square(x - centre));
  };
  for (const Optimizer& method : {optim::lbfgs(), optim::newton_cg(), optim::adahessian({.lr = 0.1})}) {
    const auto result = minimize(f, zeros({2}, f64), method, {.max_steps = 2000, .gradient_norm = 1e-6});
    EXPECT_NEAR(result.x.at(0), 1, 1e-3) << method.name << ": " << result.summary();
    EXPECT_NEAR(result.x.at(1), -2, 1e-3) << method.name << ": " << result.summary();
  }
}

/// The square of the gradient leaves the range of numbers; the gradient itself does not, and is not 0.
TEST(Minimize, SlopesOutsideTheRangeOfNumbersAreNamed) {
  for (const double factor : {1e-200, 1e200}) {
    const auto bowl = [factor](Var x) { return sum(factor * square(x - 3.0)); };
    for (const Optimizer& method : {optim::lbfgs(), optim::nonlinear_cg(), optim::gradient_descent()}) {
      const auto result = minimize(bowl, full({2}, 0, f64), method, {.gradient_norm = 0});
      EXPECT_EQ(result.reason, MinimizeReason::no_progress) << result.summary();
      EXPECT_EQ(result.no_progress, factor < 1
                                        ? "the slope is too small for a number; multiply the function by a large factor"
                                        : "the slope is too large for a number; multiply the function by a small "
                                          "factor");
      EXPECT_NEAR(result.gradient_norm / factor, 6 * std::sqrt(2.0), 1e-12);
    }
    MinimizeOptions held{.gradient_norm = 0};
    held.lower = full({2}, -1, f64);
    EXPECT_NEAR(minimize(bowl, full({2}, 0, f64), optim::lbfgs(), held).gradient_norm / factor, 6 * std::sqrt(2.0),
                1e-12);
  }
  const auto flat = minimize([](Var x) { return sum(square(x)); }, full({2}, 0, f64), optim::gradient_descent(),
                             {.gradient_norm = -1});
  EXPECT_EQ(flat.no_progress, "the gradient is 0");
}

TEST(Minimize, ReportsThatItDiverged) {
  const auto result = minimize([](Var x) { return sum(square(square(x))); }, full({2}, 5, f64), optim::sgd({.lr = 10}));
  EXPECT_EQ(result.reason, MinimizeReason::not_finite);
}

}  // namespace
}  // namespace thalweg
