// Hypergradient descent against its formulas in plain code.

#include <gtest/gtest.h>

#include <cmath>

#include "stepper.hpp"
#include "thalweg/adaptive_rates.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;

constexpr std::int64_t size = 6;

/// Of sum_i (1 + i) x_i^2 / 2.
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

TEST_P(Hypergradient, IsThatOfThePaper) {
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

/// From a rate 100 times off, a quadratic is as low after 300 steps as the best of the fixed rates leaves it, or lower.
TEST(HypergradientDescent, FindsItsWayFromRatesAHundredTimesOffOnAQuadratic) {
  const std::vector<double> start(size, 1.0);
  const auto value = [](const std::vector<double>& x) {
    double total = 1;  // of the minimum
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
  for (const double factor : {0.01, 100.0})
    EXPECT_LT(end(optim::hypergradient({.lr = factor * best_rate, .hyper_lr = 0.3})), 1.1 * best) << factor;
}

}  // namespace
}  // namespace thalweg
