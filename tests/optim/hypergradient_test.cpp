// Hypergradient descent against its formulas in plain code.

#include <gtest/gtest.h>

#include <cmath>

#include "stepper.hpp"
#include "thalweg/adaptive_rates.hpp"
#include "thalweg/minimize.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;

constexpr std::int64_t size = 6;

/// The derivative of sum_i (1 + i) x_i^2 / 2 by x_i.
double slope(std::int64_t i, double x) { return static_cast<double>(1 + i) * x; }

/// Baydin et al. 2018, algorithms 4 (descent) and 6 (Adam), and their multiplicative rule.
std::vector<double> plain(std::vector<double> x, bool adam, bool multiplicative, double rate, double hyper, int steps) {
  std::vector<double> before(size), m(size), v(size), g(size);
  for (int t = 1; t <= steps; ++t) {
    double along = 0, g2 = 0, d2 = 0;
    for (std::size_t i = 0; i < size; ++i) {
      g[i] = slope(static_cast<std::int64_t>(i), x[i]);
      along += g[i] * before[i], g2 += g[i] * g[i], d2 += before[i] * before[i];
    }
    const double cosine = g2 > 0 && d2 > 0 ? along / (std::sqrt(g2) * std::sqrt(d2)) : 0;
    rate = multiplicative ? rate * (1 + hyper * cosine) : std::max(rate + hyper * along, 0.0);
    for (std::size_t i = 0; i < size; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      before[i] =
          adam ? m[i] / (1 - std::pow(0.9, t)) / (std::sqrt(v[i]) / std::sqrt(1 - std::pow(0.999, t)) + 1e-8) : g[i];
      x[i] -= rate * before[i];
    }
  }
  return x;
}

struct Case {
  const char* method;
  bool multiplicative;
  double lr, hyper;
};

class Hypergradient : public ::testing::TestWithParam<Case> {};

TEST_P(Hypergradient, FollowsThePaper) {
  const auto& [method, multiplicative, lr, hyper] = GetParam();
  for (const DType dtype : {f64, f32}) {
    std::vector<double> x(size);
    for (std::size_t i = 0; i < size; ++i) x[i] = 1 + 0.25 * static_cast<double>(i);
    Stepper stepper(
        optim::hypergradient({.lr = lr, .hyper_lr = hyper, .method = method, .multiplicative = multiplicative}),
        one_vector(size, dtype), Tensor::from(x, {size}));
    Tensor g({size}, dtype);
    for (int step = 0; step < 100; ++step) {
      for (std::int64_t i = 0; i < size; ++i) g.set(i, slope(i, stepper.state.parameters.at(i)));
      stepper.step(g);
    }
    const std::vector<double> wanted = plain(x, std::string_view(method) == "adam", multiplicative, lr, hyper, 100);
    for (std::size_t i = 0; i < size; ++i) {
      EXPECT_NEAR(stepper.state.parameters.at(static_cast<std::int64_t>(i)), wanted[i], dtype == f64 ? 1e-12 : 1e-5)
          << method << " " << multiplicative << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, Hypergradient,
                         ::testing::Values(Case{"sgd", true, 1e-3, 0.05}, Case{"sgd", false, 1e-3, 1e-5},
                                           Case{"adam", true, 1e-3, 0.02}, Case{"adam", false, 1e-3, 1e-5}));

TEST(HypergradientDescent, ChangesItsRateByTheSameFractionForGradientsOfEverySize) {
  for (const auto& [dtype, unit] : {std::pair{f32, 0x1p90}, {f32, 0x1p-90}, {f64, 0x1p700}, {f64, 0x1p-700}}) {
    Stepper stepper(optim::hypergradient({.lr = 1, .hyper_lr = 0.5, .trust = 0}), one_vector(2, dtype),
                    zeros({2}, f64));
    Tensor g = Tensor::of({3 * unit, -4 * unit}).to(dtype);
    stepper.step(g);
    stepper.step(g);
    EXPECT_NEAR(stepper.x(0) / unit, -3 * (1 + 1.5), 1e-6) << unit;
    EXPECT_NEAR(stepper.x(1) / unit, 4 * (1 + 1.5), 1e-6) << unit;
  }
}

/// From a rate 100 times too low or too high, 300 steps on a quadratic end within a tenth of the best fixed rate's
/// result.
TEST(HypergradientDescent, RecoversFromRatesAHundredTimesOffOnAQuadratic) {
  const std::vector<double> start(size, 10.0);
  const auto value = [](const std::vector<double>& x) {
    double total = 1;  // the value at the minimum
    for (std::size_t i = 0; i < size; ++i) total += slope(static_cast<std::int64_t>(i), x[i]) * x[i] / 2;
    return total;
  };
  const auto end = [&](const Optimizer& optimizer) {
    Stepper stepper(optimizer, one_vector(size), Tensor::from(start, {size}));
    Tensor g({size}, f64);
    for (int step = 0; step < 300; ++step) {
      for (std::int64_t i = 0; i < size; ++i) g.set(i, slope(i, stepper.state.parameters.at(i)));
      stepper.step(g);
    }
    std::vector<double> x;
    for (std::int64_t i = 0; i < size; ++i) x.push_back(stepper.state.parameters.at(i));
    return value(x);
  };
  const double best_rate = 2.0 / 7;  // 2 / (smallest + largest)
  const double best = end(optim::sgd({.lr = best_rate}));
  for (const double factor : {0.01, 100.0}) {
    EXPECT_FALSE(end(optim::sgd({.lr = factor * best_rate})) < 1.2 * best) << factor;  // the rate has to change
    EXPECT_LT(end(optim::hypergradient({.lr = factor * best_rate, .hyper_lr = 0.3})), 1.1 * best) << factor;
  }
}

using Problem = std::pair<const char*, std::function<MinimizeResult(const Optimizer&)>>;

/// Five problems whose loss after 200 full-batch steps is still well above 0.
std::vector<Problem> five_problems() {
  const auto problem = [](const char* name, std::int64_t parameters, double spread, std::function<Var(Var)> loss) {
    return Problem(name, [=](const Optimizer& optimizer) {
      Tensor start = random_normal({parameters}, 7, f64);
      for (std::int64_t i = 0; i < parameters; ++i) start.set(i, spread * start.at(i));
      return minimize([&](Var x) { return loss(x); }, start, optimizer, {.max_steps = 200});
    });
  };
  const Tensor inputs = random_normal({100, 6}, 1, f64), noise = random_normal({100, 1}, 2, f64),
               truth = random_normal({6, 1}, 3, f64), labels = random_normal({100, 3}, 4, f64);
  const auto target = [=] { return matmul(constant(inputs), constant(truth)) + constant(noise); };
  const auto linear = [=](const Var& x) { return matmul(constant(inputs), reshape(x, {6, 1})); };
  const auto one_of_three = [=] {
    const Var scores = constant(labels) + slice(constant(inputs), 0, 3, 1);
    return cast(equal(scores, broadcast_to(max(scores, 1, Keep::yes), scores.shape())), f64);
  };
  return {problem("least squares", 6, 1, [=](Var x) { return mean(square(linear(x) - target())); }),
          problem("logistic regression", 6, 1,
                  [=](Var x) { return mean(softplus(-sign(target()) * linear(x))) + 1e-3 * sum(square(x)); }),
          problem("robust regression", 6, 1, [=](Var x) { return mean(sqrt(1 + square(linear(x) - target()))); }),
          problem("softmax regression", 18, 1,
                  [=](Var x) {
                    const Var logits = matmul(constant(inputs), reshape(x, {6, 3}));
                    return mean(logsumexp(logits, 1) - sum(logits * one_of_three(), 1));
                  }),
          problem("a network", 60, 0.4, [=](Var x) {
            const Var first = reshape(slice(x, 0, 48), {6, 8}), second = reshape(slice(x, 48, 56), {8, 1});
            const Var hidden = tanh(matmul(constant(inputs), first));
            return mean(square(matmul(hidden, second) - sin(target()))) + 1e-4 * sum(square(x));
          })};
}

/// The first rate is 100 times too low or too high, and steps are limited to a tenth of the parameters' norm.
TEST(HypergradientDescent, EndsWithinATenthOfTheBestFixedRateOnFiveProblemsFromRatesAHundredTimesOff) {
  for (const auto& [name, end] : five_problems()) {
    double best = INFINITY, best_rate = 0;
    for (double rate = 1e-3; rate < 20; rate *= 1.5) {
      const double value = end(optim::sgd({.lr = rate})).value;
      if (value < best) best = value, best_rate = rate;
    }
    EXPECT_GT(best, 0.05) << name;  // otherwise the relative bound would mean little
    for (const double factor : {0.01, 100.0}) {
      const double value = end(optim::hypergradient({.lr = factor * best_rate, .hyper_lr = 0.1, .trust = 0.1})).value;
      EXPECT_LE(value, 1.1 * best) << name << ", " << factor << " times the best rate, " << best_rate;
    }
  }
}

/// The whole step is limited, and the rate keeps the limited value.
TEST(HypergradientDescent, TrustLimitsTheStepRelativeToTheParameters) {
  Stepper stepper(optim::hypergradient({.lr = 1e3, .trust = 0.25}), one_vector(2), Tensor::of({3.0, 4.0}));
  Tensor g = Tensor::of({0.6, 0.8});
  stepper.step(g);
  EXPECT_NEAR(stepper.x(0), 3 - 1.25 * 0.6, 1e-12);
  EXPECT_NEAR(stepper.x(1), 4 - 1.25 * 0.8, 1e-12);
  for (const auto& [name, slot] : stepper.state.slots) {
    if (name != "hypergradient.rate") continue;
    EXPECT_NEAR(slot.at(0), 1.25, 1e-12);
  }
}

}  // namespace
}  // namespace thalweg
