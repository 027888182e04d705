// Methods that PyTorch 1.13 does not have, or has with errors, against their papers' formulas in plain scalar code.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "optim/stepper.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;
using std::pow, std::sqrt, std::abs;

double sgn(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
double clip(double x, double most) { return std::min(std::max(x, -most), most); }

constexpr int steps = 100;

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < t.size(); ++i) values.push_back(t.at(i));
  return values;
}

std::vector<double> slope(const std::vector<double>& x) {
  std::vector<double> g(x.size());
  SmoothProblem::gradient<double>(x, g);
  return g;
}

void expect_near(const std::vector<double>& ours, const std::vector<double>& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, abs(theirs[i]));
    error = std::max(error, abs(ours[i] - theirs[i]));
  }
  EXPECT_LE(error, tolerance * largest);
}

/// The formula of a method for one element: from slots, gradient, parameter and step number to the new parameter.
using Element = std::function<double(std::array<double, 4>& s, double g, double x, int t)>;

std::vector<double> by_elements(const Element& element, const std::array<double, 4>& initial = {}) {
  std::vector<double> x = numbers(SmoothProblem::start());
  std::vector<std::array<double, 4>> slots(x.size(), initial);
  for (int t = 1; t <= steps; ++t) {
    const std::vector<double> g = slope(x);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = element(slots[i], g[i], x[i], t);
  }
  return x;
}

/// Expects that the optimizer follows this path on the smooth problem, in f64 and f32.
void expect_path(const Optimizer& optimizer, const std::vector<double>& expected, double f32_tolerance = 1e-5,
                 const Layout& layout = one_vector(SmoothProblem::size)) {
  for (DType dtype : {f64, f32}) {
    Layout typed = layout;
    typed.dtype = dtype;
    Stepper stepper(optimizer, typed, SmoothProblem::start());
    run_on_smooth_problem(stepper, steps);
    SCOPED_TRACE(optimizer.name + (dtype == f64 ? " f64" : " f32"));
    expect_near(numbers(stepper.state.parameters), expected, dtype == f64 ? 1e-12 : f32_tolerance);
  }
}

TEST(Formula, NAdam) {
  const auto reference = [](double lr, double b1, double b2, double psi, double decay) {
    return by_elements(
        [=](auto& s, double g, double x, int t) {
          const auto mu = [&](int at) { return b1 * (1 - 0.5 * pow(0.96, at * psi)); };
          g += decay * x;
          s[2] *= mu(t);
          s[0] = b1 * s[0] + (1 - b1) * g;
          s[1] = b2 * s[1] + (1 - b2) * g * g;
          const double root = sqrt(s[1] / (1 - pow(b2, t))) + 1e-8;
          return x - lr * (1 - mu(t)) / (1 - s[2]) * g / root - lr * mu(t + 1) / (1 - s[2] * mu(t + 1)) * s[0] / root;
        },
        {0, 0, 1, 0});
  };
  expect_path(optim::nadam(), reference(2e-3, 0.9, 0.999, 4e-3, 0));
  expect_path(optim::nadam({.lr = 0.05, .beta1 = 0.8, .beta2 = 0.99, .momentum_decay = 0.1}),
              reference(0.05, 0.8, 0.99, 0.1, 0));
  expect_path(optim::nadam({.lr = 0.01, .weight_decay = 0.1}), reference(0.01, 0.9, 0.999, 4e-3, 0.1));
}

TEST(Formula, AdamWithoutBiasCorrectionIsTheTextbooksShortForm) {
  expect_path(optim::adam({.lr = 0.01, .bias_correction = false}), by_elements([](auto& s, double g, double x, int) {
                s[0] = 0.9 * s[0] + 0.1 * g;
                s[1] = 0.999 * s[1] + (1 - 0.999) * g * g;
                return x - 0.01 * s[0] / (sqrt(s[1]) + 1e-8);
              }));
}

TEST(Formula, AdaBelief) {
  const auto reference = [](double lr, double b1, double b2, double eps, double decay) {
    return by_elements([=](auto& s, double g, double x, int t) {
      s[0] = b1 * s[0] + (1 - b1) * g;
      s[1] = b2 * s[1] + (1 - b2) * (g - s[0]) * (g - s[0]) + eps;
      return x - lr * (s[0] / (1 - pow(b1, t)) / (sqrt(s[1] / (1 - pow(b2, t))) + eps) + decay * x);
    });
  };
  expect_path(optim::adabelief({.lr = 0.01}), reference(0.01, 0.9, 0.999, 1e-16, 0));
  expect_path(optim::adabelief({.lr = 0.02, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1}),
              reference(0.02, 0.8, 0.99, 1e-6, 0.1));
}

TEST(Formula, Yogi) {
  const auto reference = [](double lr, double b2, double eps, double initial, double decay) {
    return by_elements(
        [=](auto& s, double g, double x, int) {
          s[0] = 0.9 * s[0] + 0.1 * g;
          s[1] -= (1 - b2) * sgn(s[1] - g * g) * g * g;
          return x - lr * (s[0] / (sqrt(s[1]) + eps) + decay * x);
        },
        {0, initial, 0, 0});
  };
  expect_path(optim::yogi(), reference(1e-2, 0.999, 1e-3, 1e-6, 0));
  expect_path(optim::yogi({.lr = 0.02, .beta2 = 0.9, .eps = 1e-2, .initial_accumulator = 0.1, .weight_decay = 0.1}),
              reference(0.02, 0.9, 1e-2, 0.1, 0.1));
}

TEST(Formula, LionAndSignum) {
  // the rate is so small that rounding does not change the sign of a running mean
  expect_path(optim::lion({.lr = 1e-3, .weight_decay = 0.1}), by_elements([](auto& s, double g, double x, int) {
                const double direction = sgn(0.9 * s[0] + 0.1 * g);
                s[0] = 0.99 * s[0] + 0.01 * g;
                return x - 1e-3 * (direction + 0.1 * x);
              }));
  expect_path(optim::signum({.lr = 1e-3, .momentum = 0.8}), by_elements([](auto& s, double g, double x, int) {
                s[0] = 0.8 * s[0] + 0.2 * g;
                return x - 1e-3 * sgn(s[0]);
              }));
}

TEST(Formula, FtrlFromItsFirstParameters) {
  const auto reference = [](double lr, double beta, double l1, double l2) {
    return by_elements([=](auto& s, double g, double x, int t) {
      if (t == 1) s[0] = -x * (beta / lr + l2) - sgn(x) * l1;
      s[0] += g - (sqrt(s[1] + g * g) - sqrt(s[1])) / lr * x;
      s[1] += g * g;
      if (abs(s[0]) <= l1) return 0.0;
      return -(s[0] - sgn(s[0]) * l1) / ((beta + sqrt(s[1])) / lr + l2);
    });
  };
  expect_path(optim::ftrl({.lr = 0.1}), reference(0.1, 1, 0, 0));
  expect_path(optim::ftrl({.lr = 0.5, .beta = 0.5, .l1 = 0.5, .l2 = 0.1}), reference(0.5, 0.5, 0.5, 0.1));
}

TEST(Formula, FtrlKeepsParametersWithSmallGradientsAtZero) {
  Stepper stepper(optim::ftrl({.lr = 0.5, .beta = 1, .l1 = 1}), one_vector(2), zeros({2}, f64));
  Tensor g = Tensor::of({0.25, -0.5});
  for (int i = 0; i < 3; ++i) stepper.step(g);
  EXPECT_EQ(stepper.x(0), 0);
  EXPECT_NEAR(stepper.x(1), 0.5 / ((1 + sqrt(0.75)) / 0.5), 1e-15);
}

TEST(Formula, Adan) {
  const auto reference = [](double lr, double b1, double b2, double b3, double decay) {
    return by_elements([=](auto& s, double g, double x, int t) {
      const double difference = t == 1 ? 0 : g - s[3];
      s[3] = g;
      s[0] = b1 * s[0] + (1 - b1) * g;
      s[1] = b2 * s[1] + (1 - b2) * difference;
      s[2] = b3 * s[2] + (1 - b3) * (g + b2 * difference) * (g + b2 * difference);
      const double root = sqrt(s[2]) / sqrt(1 - pow(b3, t)) + 1e-8;
      return (x - lr * (s[0] / (1 - pow(b1, t)) + b2 * s[1] / (1 - pow(b2, t))) / root) / (1 + lr * decay);
    });
  };
  expect_path(optim::adan({.lr = 0.01}), reference(0.01, 0.98, 0.92, 0.99, 0));
  expect_path(optim::adan({.lr = 0.005, .beta1 = 0.9, .beta2 = 0.8, .beta3 = 0.95, .weight_decay = 0.5}),
              reference(0.005, 0.9, 0.8, 0.95, 0.5));
}

TEST(Formula, AdEMAMix) {
  const auto reference = [](double lr, double b3_end, double alpha_end, int warmup, double decay) {
    return by_elements([=](auto& s, double g, double x, int t) {
      double b3 = b3_end, alpha = alpha_end;
      if (warmup > 0) {
        const double part = std::min(1.0, double(t) / warmup), from = std::log(0.9), to = std::log(b3_end);
        alpha *= part;
        b3 = std::min(b3_end, std::exp(from * to / ((1 - part) * to + part * from)));
      }
      s[0] = 0.9 * s[0] + (1 - 0.9) * g;
      s[1] = b3 * s[1] + (1 - b3) * g;
      s[2] = 0.999 * s[2] + (1 - 0.999) * g * g;
      const double root = sqrt(s[2]) / sqrt(1 - pow(0.999, t)) + 1e-8;
      return x - lr * ((s[0] / (1 - pow(0.9, t)) + alpha * s[1]) / root + decay * x);
    });
  };
  expect_path(optim::ademamix({.lr = 0.01}), reference(0.01, 0.9999, 5, 0, 0));
  expect_path(optim::ademamix({.lr = 0.01, .beta3 = 0.99, .alpha = 2, .weight_decay = 0.1, .warmup = 60}),
              reference(0.01, 0.99, 2, 60, 0.1));
}

TEST(Formula, Adopt) {
  const auto reference = [](double lr, double b1, double b2, double decay) {
    return by_elements([=](auto& s, double g, double x, int t) {
      if (t == 1) {
        s[1] = g * g;
        return x;
      }
      s[0] = b1 * s[0] + (1 - b1) * clip(g / std::max(sqrt(s[1]), 1e-6), pow(t - 1, 0.25));
      s[1] = b2 * s[1] + (1 - b2) * g * g;
      return x - lr * (s[0] + decay * x);
    });
  };
  expect_path(optim::adopt({.lr = 0.01}), reference(0.01, 0.9, 0.9999, 0));
  expect_path(optim::adopt({.lr = 0.02, .beta1 = 0.8, .beta2 = 0.99, .weight_decay = 0.1}),
              reference(0.02, 0.8, 0.99, 0.1));
}

/// The sequences y and x of the reference implementation of schedule-free methods.
std::pair<std::vector<double>, std::vector<double>> schedule_free(double lr0, double mu, double b2, double eps,
                                                                  double decay, int warmup, bool adam) {
  std::vector<double> y = numbers(SmoothProblem::start()), z = y, v(y.size());
  double lr_max = 0, weights = 0;
  for (int t = 1; t <= steps; ++t) {
    const double lr = lr0 * (t < warmup ? double(t) / warmup : 1) * (adam ? sqrt(1 - pow(b2, t)) : 1);
    lr_max = std::max(lr_max, lr);
    weights += lr_max * lr_max;
    const double c = lr_max * lr_max / weights;
    std::vector<double> g = slope(y);
    for (std::size_t i = 0; i < y.size(); ++i) {
      v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
      if (adam) g[i] /= sqrt(v[i]) + eps;
      g[i] += decay * y[i];
      y[i] += c * (z[i] - y[i]) + lr * (mu * (1 - c) - 1) * g[i];
      z[i] -= lr * g[i];
    }
  }
  std::vector<double> x(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) x[i] = y[i] + (1 - 1 / mu) * (z[i] - y[i]);
  return {y, x};
}

void expect_schedule_free(const Optimizer& optimizer,
                          const std::pair<std::vector<double>, std::vector<double>>& expected) {
  expect_path(optimizer, expected.first);
  Stepper stepper(optimizer, one_vector(SmoothProblem::size), SmoothProblem::start());
  run_on_smooth_problem(stepper, steps);
  expect_near(numbers(stepper.evaluated()), expected.second, 1e-11);
}

TEST(Formula, ScheduleFreeMethodsAndTheValuesTheyAreEvaluatedAt) {
  expect_schedule_free(optim::schedule_free_sgd({.lr = 0.1}), schedule_free(0.1, 0.9, 0, 0, 0, 0, false));
  expect_schedule_free(optim::schedule_free_sgd({.lr = 0.1, .momentum = 0.7, .weight_decay = 0.1, .warmup = 20}),
                       schedule_free(0.1, 0.7, 0, 0, 0.1, 20, false));
  expect_schedule_free(optim::schedule_free_adamw({.lr = 0.01}), schedule_free(0.01, 0.9, 0.999, 1e-8, 0, 0, true));
  expect_schedule_free(
      optim::schedule_free_adamw({.lr = 0.02, .beta1 = 0.8, .beta2 = 0.99, .weight_decay = 0.1, .warmup = 30}),
      schedule_free(0.02, 0.8, 0.99, 1e-8, 0.1, 30, true));
}

std::vector<double> prodigy(double decay, bool correct, double growth, bool safeguard) {
  const double b1 = 0.9, b2 = 0.99, b3 = sqrt(b2), eps = 1e-8, d0 = 1e-3;
  std::vector<double> x = numbers(SmoothProblem::start()), x0 = x, m(x.size()), v = m, s = m;
  double d = d0, d_max = d0, numerator = 0;
  for (int t = 1; t <= steps; ++t) {
    const double rate = d * (correct ? sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)) : 1);
    const std::vector<double> g = slope(x);
    double inner = 0, denominator = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      inner += g[i] * (x0[i] - x[i]);
      m[i] = b1 * m[i] + d * (1 - b1) * g[i];
      v[i] = b2 * v[i] + d * d * (1 - b2) * g[i] * g[i];
      s[i] = b3 * s[i] + d / d0 * (safeguard ? d : rate) * g[i];
      denominator += abs(s[i]);
    }
    numerator = b3 * numerator + d / d0 * rate * inner;
    const double estimate = numerator / denominator;
    if (d == d0) d = std::max(d, estimate);
    d_max = std::max(d_max, estimate);
    d = std::min(d_max, d * growth);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= rate * decay * x[i] + rate * m[i] / (sqrt(v[i]) + d * eps);
  }
  return x;
}

TEST(Formula, Prodigy) {
  const double no_limit = std::numeric_limits<double>::infinity();
  const double estimated = 5e-3;  // tolerance in f32: the first estimate is from x0 - x, which cancels
  expect_path(optim::prodigy({.beta2 = 0.99, .d0 = 1e-3}), prodigy(0, false, no_limit, false), estimated);
  expect_path(optim::prodigy({.beta2 = 0.99, .d0 = 1e-3, .growth = 1.1, .weight_decay = 0.1, .bias_correction = true}),
              prodigy(0.1, true, 1.1, false), estimated);
  expect_path(optim::prodigy({.beta2 = 0.99, .d0 = 1e-3, .bias_correction = true, .safeguard_warmup = true}),
              prodigy(0, true, no_limit, true), estimated);
}

// Methods that depend on the shape of a parameter: the eight numbers of the problem are a matrix (2, 3) and a vector
// (2).

Layout matrix_and_vector() { return layout_of({{"weight", {2, 3}}, {"bias", {2}, 0, false, false, false}}); }

double norm_of(std::span<const double> x) { return sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0)); }

/// One step of one parameter; `decay` says whether weight decay applies to it.
using OneParameter = std::function<void(std::span<double> x, std::span<const double> g, int t, bool decay)>;

std::vector<double> by_blocks(const OneParameter& step) {
  std::vector<double> x = numbers(SmoothProblem::start());
  for (int t = 1; t <= steps; ++t) {
    const std::vector<double> g = slope(x);
    step(std::span(x).first(6), std::span(g).first(6), t, true);
    step(std::span(x).last(2), std::span(g).last(2), t, false);
  }
  return x;
}

TEST(Formula, Lamb) {
  std::vector<double> m(8), v(8);
  expect_path(optim::lamb({.lr = 0.01, .weight_decay = 0.1}), by_blocks([&](auto x, auto g, int t, bool decay) {
                std::vector<double> r(x.size());
                for (std::size_t i = 0; i < x.size(); ++i) {
                  double &mi = m[decay ? i : 6 + i], &vi = v[decay ? i : 6 + i];
                  mi = 0.9 * mi + (1 - 0.9) * g[i];
                  vi = 0.999 * vi + (1 - 0.999) * g[i] * g[i];
                  r[i] = mi / (1 - pow(0.9, t)) / (sqrt(vi / (1 - pow(0.999, t))) + 1e-6) + (decay ? 0.1 * x[i] : 0);
                }
                const double ratio = norm_of(x) / norm_of(r);
                for (std::size_t i = 0; i < x.size(); ++i) x[i] -= 0.01 * ratio * r[i];
              }),
              1e-5, matrix_and_vector());
}

TEST(Formula, Lars) {
  std::vector<double> buffer(8);
  expect_path(optim::lars({.lr = 0.5, .trust = 0.01, .weight_decay = 0.1}),
              by_blocks([&](auto x, auto g, int, bool decay) {
                const double wd = decay ? 0.1 : 0;
                const double rate = 0.01 * norm_of(x) / (norm_of(g) + wd * norm_of(x));
                for (std::size_t i = 0; i < x.size(); ++i) {
                  double& b = buffer[decay ? i : 6 + i];
                  b = 0.9 * b + 0.5 * rate * (g[i] + wd * x[i]);
                }
                for (std::size_t i = 0; i < x.size(); ++i) x[i] -= buffer[decay ? i : 6 + i];
              }),
              1e-5, matrix_and_vector());
}

TEST(Formula, AdafactorKeepsRowAndColumnMeansOfAMatrix) {
  std::vector<double> rows(2), columns(3), vector(2);
  const auto rms = [](std::span<const double> x) { return norm_of(x) / sqrt(static_cast<double>(x.size())); };
  const auto reference = by_blocks([&](auto x, auto g, int t, bool matrix) {
    const double change = pow(t, -0.8), lr = 0.05, eps = 1e-6;
    std::vector<double> step(x.size());
    if (matrix) {
      for (std::size_t i = 0; i < 2; ++i) {
        rows[i] +=
            change * ((g[3 * i] * g[3 * i] + g[3 * i + 1] * g[3 * i + 1] + g[3 * i + 2] * g[3 * i + 2]) / 3 - rows[i]);
      }
      for (std::size_t j = 0; j < 3; ++j) columns[j] += change * ((g[j] * g[j] + g[3 + j] * g[3 + j]) / 2 - columns[j]);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!matrix) vector[i] += change * (g[i] * g[i] - vector[i]);
      const double v = matrix ? rows[i / 3] * columns[i % 3] / std::max((rows[0] + rows[1]) / 2, eps) : vector[i];
      step[i] = g[i] / sqrt(std::max(v, eps * eps));
    }
    const double size = std::max(1e-3, rms(x)) * std::min(lr, 1 / sqrt(t)) / std::max(1.0, rms(step) / 0.9);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= size * step[i] + (matrix ? lr * 0.1 * x[i] : 0);
  });
  const auto optimizer = optim::adafactor({.lr = 0.05, .eps1 = 1e-6, .clip_threshold = 0.9, .weight_decay = 0.1});
  expect_path(optimizer, reference, 1e-5, matrix_and_vector());
  const UpdateProgram update = make_update(optimizer, matrix_and_vector());
  EXPECT_EQ(update.slots[0].size, 2);
  EXPECT_EQ(update.slots[1].size, 3);
  EXPECT_EQ(update.slots[2].size, 2);
}

/// The product of a, (r, k), and b, (k, c).
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, std::size_t r, std::size_t k,
                            std::size_t c) {
  std::vector<double> y(r * c);
  for (std::size_t i = 0; i < r; ++i) {
    for (std::size_t j = 0; j < c; ++j) {
      for (std::size_t l = 0; l < k; ++l) y[i * c + j] += a[i * k + l] * b[l * c + j];
    }
  }
  return y;
}

TEST(Formula, MuonOnAMatrixAndAdamWOnTheRest) {
  std::vector<double> m(8), v(2);
  const double lr = 0.01, wd = 0.1, mu = 0.95;
  const auto reference = by_blocks([&](auto x, auto g, int t, bool matrix) {
    if (!matrix) {
      for (std::size_t i = 0; i < 2; ++i) {
        m[6 + i] = 0.9 * m[6 + i] + (1 - 0.9) * g[i];
        v[i] = 0.999 * v[i] + (1 - 0.999) * g[i] * g[i];
        x[i] -= 0.5 * lr * m[6 + i] / (1 - pow(0.9, t)) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
      }
      return;
    }
    std::vector<double> u(6), transposed(6);
    for (std::size_t i = 0; i < 6; ++i) {
      m[i] = mu * m[i] + (1 - mu) * g[i];
      u[i] = (1 - mu) * g[i] + mu * m[i];
    }
    const double length = norm_of(u);
    for (double& each : u) each /= length;
    for (int k = 0; k < 5; ++k) {
      for (std::size_t i = 0; i < 6; ++i) transposed[i % 3 * 2 + i / 3] = u[i];
      std::vector<double> a = product(u, transposed, 2, 3, 2), aa = product(a, a, 2, 2, 2);
      for (std::size_t i = 0; i < 4; ++i) a[i] = -4.7750 * a[i] + 2.0315 * aa[i];
      const std::vector<double> b = product(a, u, 2, 2, 3);
      for (std::size_t i = 0; i < 6; ++i) u[i] = 3.4445 * u[i] + b[i];
    }
    for (std::size_t i = 0; i < 6; ++i) x[i] -= lr * (sqrt(1.5) * u[i] + wd * x[i]);  // 2 inputs, 3 outputs
  });
  // each application of the polynomial multiplies small singular values, and their rounding errors, by 3.4
  for (DType dtype : {f64, f32}) {
    Layout layout = matrix_and_vector();
    layout.dtype = dtype;
    Stepper stepper(optim::muon({.lr = lr, .adam_lr_factor = 0.5}), layout, SmoothProblem::start());
    run_on_smooth_problem(stepper, steps);
    expect_near(numbers(stepper.state.parameters), reference, dtype == f64 ? 1e-10 : 1e-3);
  }
}

TEST(Formula, LookaheadAroundMomentum) {
  std::vector<double> x = numbers(SmoothProblem::start()), slow = x, buffer(x.size());
  for (int t = 1; t <= steps; ++t) {
    const std::vector<double> g = slope(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      buffer[i] = 0.9 * buffer[i] + g[i];
      x[i] -= 0.01 * buffer[i];
      if (t % 6 == 0) x[i] = slow[i] = slow[i] + 0.3 * (x[i] - slow[i]);
    }
  }
  const OptionMap inner = {{"kind", {std::string("sgd")}}, {"lr", {0.01}}, {"momentum", {0.9}}};
  expect_path(optim::lookahead({.optimizer = inner, .every = 6, .mix = 0.3}), x);
  expect_path(optim::lookahead(optim::sgd({.lr = 0.01, .momentum = 0.9}), 6, 0.3), x);
}

}  // namespace
}  // namespace thalweg
