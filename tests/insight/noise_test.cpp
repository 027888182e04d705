#include "insight/noise.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.hpp"
#include "moons.hpp"

namespace thalweg {
namespace {

struct Net {
  Dataset data = two_moons(240);
  EvaluationFunction function = evaluation_of(nn::mlp(2, {.hidden = {6}, .activation = "tanh"}), loss::cross_entropy);
  Workers workers{1};
  Products products{function, workers};
  State state;
  Net() {
    Engine engine(function, optim::sgd({.lr = 0.1}), 1);
    state = engine.init(data, 1, f64);
    for (int i = 0; i < 20; ++i) engine.step(state, {data}, {}, 0);
  }
  /// tr(S), where S is the covariance of the rows' gradients, and |G|^2 of the mean gradient, from each row's gradient.
  std::pair<double, double> plain() {
    const std::int64_t n = data.rows();
    Tensor whole, one;
    products.gradient(state, {data}, whole);
    double squares = 0, signal = 0;
    for (std::int64_t r = 0; r < n; ++r) {
      products.gradient(state, {data.slice(r, r + 1)}, one);
      for (std::int64_t i = 0; i < one.size(); ++i) squares += std::pow(one.at(i) - whole.at(i), 2);
    }
    for (std::int64_t i = 0; i < whole.size(); ++i) signal += whole.at(i) * whole.at(i);
    const double noise = squares / static_cast<double>(n - 1);
    return {noise, signal - noise / static_cast<double>(n)};
  }
};

TEST(GradientNoise, OfBatchesOfOneRowIsTheCovarianceOfTheRows) {
  Net net;
  const auto [noise, signal] = net.plain();
  const GradientNoise found = gradient_noise(net.products, net.state, net.data, 1, 1000, 1);
  EXPECT_EQ(found.batches, 240);
  EXPECT_NEAR(found.noise, noise, 1e-10 * noise);
  EXPECT_NEAR(found.signal, signal, 1e-10 * signal);
  EXPECT_NEAR(found.scale.value, noise / signal, 1e-10 * noise / signal);
}

TEST(GradientNoise, OfLargerBatchesIsTheSameWithinItsError) {
  Net net;
  const auto [noise, signal] = net.plain();
  int within = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const GradientNoise found = gradient_noise(net.products, net.state, net.data, 8, 1000, seed);
    EXPECT_EQ(found.batches, 30);
    within += std::abs(found.scale.value - noise / signal) <= 2.5 * found.scale.error;
  }
  EXPECT_GE(within, 18);
}

TEST(GradientNoise, OfTwoBatchesHasNoErrorAndOfOneIsRefused) {
  Net net;
  EXPECT_TRUE(std::isinf(gradient_noise(net.products, net.state, net.data, 120, 9, 1).scale.error));
  EXPECT_THROW((void)gradient_noise(net.products, net.state, net.data, 200, 9, 1), UsageError);
}

}  // namespace
}  // namespace thalweg
