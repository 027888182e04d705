// Gradient estimators for discrete choices against an exact gradient: that of the expected reward of a drawn class.

#include "thalweg/estimators.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "evaluate.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

const Tensor logits = Tensor::of({0.3, -0.8, 1.1, 0.0}), rewards = Tensor::of({1.0, -2.0, 0.5, 3.0});
constexpr std::int64_t classes = 4;

std::vector<double> probabilities() {
  double total = 0;
  std::vector<double> p;
  for (std::int64_t k = 0; k < classes; ++k) total += std::exp(logits.at(k));
  for (std::int64_t k = 0; k < classes; ++k) p.push_back(std::exp(logits.at(k)) / total);
  return p;
}

/// p_k (r_k - E r)
Tensor exact_gradient() {
  const auto p = probabilities();
  double mean = 0;
  for (std::int64_t k = 0; k < classes; ++k) mean += p[static_cast<std::size_t>(k)] * rewards.at(k);
  Tensor g({classes}, f64);
  for (std::int64_t k = 0; k < classes; ++k) g.set(k, p[static_cast<std::size_t>(k)] * (rewards.at(k) - mean));
  return g;
}

/// The gradient by the logits of the estimator's surrogate loss for these drawn classes.
Tensor score_gradient(const std::vector<std::int32_t>& drawn, double baseline, bool others) {
  const auto n = static_cast<std::int64_t>(drawn.size());
  return evaluate(
      [&](const Vars& x) {
        const Var r = gather(x[1], x[2]), log_p = gather(log_softmax(x[0]), x[2]);
        return gradients(mean(others ? score_function(log_p, r, leave_one_out(r)) : score_function(log_p, r, baseline)),
                         {x[0]});
      },
      {logits, rewards, Tensor::from(drawn, {n})})[0];
}

TEST(ScoreFunction, IsUnbiasedForEveryBaseline) {
  for (double baseline : {0.0, 0.7, -5.0}) {  // the exact expectation over all outcomes
    Tensor expected({classes}, f64);
    for (std::int32_t k = 0; k < classes; ++k) {
      const Tensor g = score_gradient({k}, baseline, false);
      for (std::int64_t i = 0; i < classes; ++i)
        expected.set(i, expected.at(i) + probabilities()[static_cast<std::size_t>(k)] * g.at(i));
    }
    EXPECT_LE(distance(expected, exact_gradient()), 1e-14) << baseline;
  }
}

TEST(ScoreFunction, LeaveOneOutIsUnbiased) {
  const auto p = probabilities();
  Tensor expected({classes}, f64);
  for (std::int32_t a = 0; a < classes; ++a) {
    for (std::int32_t b = 0; b < classes; ++b) {
      const Tensor g = score_gradient({a, b}, 0, true);
      const double weight = p[static_cast<std::size_t>(a)] * p[static_cast<std::size_t>(b)];
      for (std::int64_t i = 0; i < classes; ++i) expected.set(i, expected.at(i) + weight * g.at(i));
    }
  }
  EXPECT_LE(distance(expected, exact_gradient()), 1e-14);
}

TEST(ScoreFunction, ABaselineReducesTheVariance) {
  const auto p = probabilities();
  double mean = 0;
  for (std::size_t k = 0; k < p.size(); ++k) mean += p[k] * rewards.at(static_cast<std::int64_t>(k));
  const auto variance = [&](double shift, double baseline) {  // `shift` moves the rewards away from 0, as in practice
    double total = 0;
    for (std::int32_t k = 0; k < classes; ++k) {
      const Tensor g = score_gradient({k}, baseline - shift, false);
      for (std::int64_t i = 0; i < classes; ++i)
        total += p[static_cast<std::size_t>(k)] * std::pow(g.at(i) - exact_gradient().at(i), 2);
    }
    return total;
  };
  EXPECT_LT(variance(10, mean + 10) * 10, variance(10, 0));
}

constexpr std::int64_t draws = 40000;

/// The mean gradient of the reward over many draws.
Tensor mean_gradient(bool choose, double temperature) {
  const Tensor uniform = random_uniform({draws, classes}, 0, 1, 11, f64);
  return evaluate(
      [&](const Vars& x) {
        const Var soft = choose ? gumbel_choice(x[0], x[2], temperature) : gumbel_softmax(x[0], x[2], temperature);
        return gradients(sum(soft * x[1]) / static_cast<double>(draws), {x[0]});
      },
      {logits, rewards, uniform})[0];
}

TEST(GumbelSoftmax, TheBiasOfItsGradientFallsWithTheTemperature) {
  const double hot = distance(mean_gradient(false, 2), exact_gradient());
  const double warm = distance(mean_gradient(false, 0.5), exact_gradient());
  const double cold = distance(mean_gradient(false, 0.1), exact_gradient());
  EXPECT_GT(hot, 0.1);
  EXPECT_LT(warm, hot / 2);
  EXPECT_LT(cold, 0.05);
}

TEST(GumbelChoice, IsOneHotAndDrawnFromTheSoftmax) {
  const Tensor uniform = random_uniform({draws, classes}, 0, 1, 5, f64);
  const auto out = evaluate(
      [](const Vars& x) {
        const Var choice = gumbel_choice(x[0], x[1], 0.7);
        return Vars{mean(choice, 0), min(sum(choice, 1)), max(choice * (1 - choice))};
      },
      {logits, uniform});
  for (std::int64_t k = 0; k < classes; ++k)
    EXPECT_NEAR(out[0].at(k), probabilities()[static_cast<std::size_t>(k)], 0.01);
  EXPECT_EQ(out[1].item(), 1);
  EXPECT_EQ(out[2].item(), 0);
  // for a linear reward, the straight-through gradient equals that of the relaxation
  EXPECT_TRUE(identical(mean_gradient(true, 0.5), mean_gradient(false, 0.5)));
}

TEST(GumbelNoise, IsFiniteAtTheEnds) {
  for (DType dtype : {f32, f64}) {
    const Tensor ends = Tensor::of({0.0, 0.5, dtype == f32 ? 1 - 0x1p-24 : 1 - 0x1p-53}).to(dtype);
    const Tensor g = evaluate([](const Vars& x) { return Vars{gumbel_noise(x[0])}; }, {ends})[0];
    for (std::int64_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isfinite(g.at(i)));
    EXPECT_NEAR(g.at(1), -std::log(std::log(2)), 1e-6);
  }
}

TEST(StraightThrough, IsExactForALinearFunctionOfABernoulli) {
  // b = 1 with probability s(z); the gradient of E[3 b] by z is 3 s (1 - s), whatever was drawn
  for (double drawn : {0.0, 1.0}) {
    const auto out = evaluate(
        [](const Vars& x) {
          const Var b = straight_through(x[1], sigmoid(x[0]));
          return Vars{gradients(3 * b, {x[0]})[0], gradients(square(b), {x[0]})[0], b};
        },
        {full({}, 0.4, f64), full({}, drawn, f64)});
    const double s = 1 / (1 + std::exp(-0.4));
    EXPECT_NEAR(out[0].item(), 3 * s * (1 - s), 1e-14);
    EXPECT_NEAR(out[1].item(), 2 * drawn * s * (1 - s), 1e-14);  // biased for a single draw, because E[b^2] = E[b]
    EXPECT_EQ(out[2].item(), drawn);
  }
}

TEST(Estimators, ErrorsNameTheMistake) {
  EXPECT_THROW(evaluate([](const Vars& x) { return Vars{straight_through(x[0], sum(x[0]))}; }, {logits}), UsageError);
  EXPECT_THROW(evaluate([](const Vars& x) { return Vars{gumbel_softmax(x[0], x[0], 0)}; }, {logits}), UsageError);
  EXPECT_THROW(evaluate([](const Vars& x) { return Vars{leave_one_out(sum(x[0]))}; }, {logits}), UsageError);
}

TEST(LeaveOneOut, IsTheMeanOfTheOthersAlongTheLastAxis) {
  const Tensor pairs = Tensor::of({1.0, 2.0, 6.0, 0.0, 4.0, -4.0}).reshape({2, 3});
  const Tensor found = evaluate([](const Vars& x) { return Vars{leave_one_out(x[0])}; }, {pairs})[0];
  EXPECT_EQ(distance(found, Tensor::of({4.0, 3.5, 1.5, 0.0, -2.0, 2.0}).reshape({2, 3})), 0);
}

}  // namespace
}  // namespace thalweg
