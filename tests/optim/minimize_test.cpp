#include "thalweg/minimize.hpp"
#include "thalweg/optimizers.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace thalweg {
namespace {

Var rosenbrock(Var x) {
  const Var head = slice(x, 0, -1), tail = slice(x, 1);
  return sum(square(1 - head) + 100 * square(tail - square(head)));
}

TEST(Minimize, AdamFindsTheFloorOfRosenbrock) {
  const auto result = minimize(rosenbrock, full({10}, -1.2, f64), optim::adam({.lr = 1e-2}),
                               {.max_steps = 50'000, .gradient_norm = 1e-8});
  EXPECT_EQ(result.reason, MinimizeReason::gradient) << result.summary();
  EXPECT_LT(result.gradient_norm, 1e-8);
}

TEST(Minimize, ABlackBoxGoesTheSameWay) {
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

TEST(Minimize, SaysThatItDiverged) {
  const auto result = minimize([](Var x) { return sum(square(square(x))); }, full({2}, 5, f64), optim::sgd({.lr = 10}));
  EXPECT_EQ(result.reason, MinimizeReason::not_finite);
}

}  // namespace
}  // namespace thalweg
