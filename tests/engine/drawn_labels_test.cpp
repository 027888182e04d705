// Gradients at labels that are drawn from the model: their moments against those of the distribution whose negative
// logarithm the loss is.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/engine.hpp"
#include "engine/factors.hpp"
#include "engine/model_evaluation.hpp"
#include "evaluate.hpp"
#include "loss/likelihood.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// The mean gradient of the loss by the output, and the mean outer product of this gradient with itself.
struct Moments {
  std::vector<double> first, second;
};

struct Case {
  LossFunction loss;
  std::vector<double> output;
  Tensor targets;  ///< all possible labels, or a fine grid of them
  bool counts = false;
};

Tensor grid() {
  constexpr std::int64_t size = 80001;
  Tensor y({size, 1}, f64);
  for (std::int64_t i = 0; i < size; ++i) y.set(i, (static_cast<double>(i) - size / 2) * 1e-3);
  return y;
}

Tensor whole_numbers(std::int64_t size) {
  Tensor y({size, 1}, f64);
  for (std::int64_t i = 0; i < size; ++i) y.set(i, static_cast<double>(i));
  return y;
}

std::vector<Case> cases() {
  Tensor classes({3}, i32), one_hot({3, 3}, f64);
  for (std::int64_t i = 0; i < 3; ++i) classes.set(i, static_cast<double>(i)), one_hot.set(4 * i, 1);
  return {{loss::binary_cross_entropy, {0.4}, whole_numbers(2)},
          {loss::cross_entropy, {0.4, -1, 0.2}, classes},
          {loss::cross_entropy({.label_smoothing = 0.3}), {0.4, -1, 0.2}, classes},
          {loss::kl_divergence, {0.4, -1, 0.2}, one_hot},
          {loss::pairwise_ranking, {0.4, -1}, whole_numbers(2)},
          {loss::mse, {0.7}, grid()},
          {loss::mae, {0.7}, grid()},
          {loss::log_cosh, {0.7}, grid()},
          {loss::quantile({.quantile = 0.3}), {0.7}, grid()},
          {loss::gaussian, {0.7, -0.6}, grid()},
          {loss::gaussian({.min_variance = 2}), {0.7, -0.6}, grid()},
          {loss::poisson, {1.3}, whole_numbers(100), true},
          {loss::poisson({.log_input = false}), {3.3}, whole_numbers(100), true}};
}

/// The moments from the loss: the probability of a label is e^-loss, or e^-loss / y! for counts.
Moments wanted(const Case& c) {
  const auto rows = c.targets.shape()[0], size = std::ssize(c.output);
  Tensor outputs({rows, size}, f64);
  for (std::int64_t i = 0; i < outputs.size(); ++i) outputs.set(i, c.output[static_cast<std::size_t>(i % size)]);
  // label smoothing does not change the model's probabilities
  const LossFunction loss = c.loss.name() == "cross_entropy" ? LossFunction(loss::cross_entropy) : c.loss;
  const std::vector<Tensor> found = evaluate(
      [&](const std::vector<Var>& x) {
        const Var values = loss.samples(x[0], x[1]);
        return std::vector<Var>{values, gradients(sum(values), {x[0]})[0]};
      },
      {outputs, c.targets});
  Moments moments{std::vector<double>(c.output.size()), std::vector<double>(c.output.size() * c.output.size())};
  double total = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double y = static_cast<double>(i), p = std::exp(-found[0].at(i) - (c.counts ? std::lgamma(y + 1) : 0));
    total += p;
    for (std::int64_t a = 0; a < size; ++a) {
      const double slope = found[1].at(i * size + a);
      moments.first[static_cast<std::size_t>(a)] += p * slope;
      for (std::int64_t b = 0; b < size; ++b)
        moments.second[static_cast<std::size_t>(a * size + b)] += p * slope * found[1].at(i * size + b);
    }
  }
  for (double& value : moments.first) value /= total;
  for (double& value : moments.second) value /= total;
  return moments;
}

/// The moments over drawn labels of many rows with the same output, which is the bias.
Moments drawn(const Case& c) {
  constexpr std::int64_t rows = 40000;
  const std::int64_t size = std::ssize(c.output);
  Dataset data;
  data.set("input", ones({rows, 1}));
  const bool labels = c.targets.dtype() == i32, wide = c.loss.name() == "kl_divergence";
  data.set("target", labels ? Tensor({rows}, i32) : zeros({rows, wide ? size : 1}));
  const ModelFunction model = [size](Scope s, Var x) { return nn::dense(s / "out", x, size); };
  const EvaluationFunction function = evaluation_of(model, c.loss);
  State state = Engine(function, optim::sgd({.lr = 1}), 1).init(data, 1, f64);
  state.set_parameter("out/weight", zeros({1, size}, f64));
  state.set_parameter("out/bias", Tensor::from(c.output, {size}));
  const TracedObjective traced = trace_objective(function, columns_of(data), 2, Mode::train, f64);
  const std::vector<FactoredLayer> layers = factored_layers(traced, traced.result);
  Workers workers(1);
  Products products(with_drawn_labels(function, "kfac", ""), workers, {.mode = Mode::train, .layers = layers});
  Tensor gradient, factors;
  (void)products.gradient(state, {data}, gradient);
  (void)products.factors(state, {data}, factors);
  EXPECT_EQ(products.weight(), rows);
  Moments moments;
  for (std::int64_t a = 0; a < size; ++a)
    moments.first.push_back(gradient.at(size + a));  // the bias follows the weight
  for (std::int64_t a = 0; a < size * size; ++a) moments.second.push_back(factors.at(4 + a));
  return moments;
}

TEST(DrawnLabels, TheirGradientsHaveTheMomentsOfTheModelsDistribution) {
  for (const Case& c : cases()) {
    const Moments exact = wanted(c), sampled = drawn(c);
    double largest = 0;
    for (const double value : exact.second) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < exact.first.size(); ++i) {
      EXPECT_NEAR(exact.first[i], 0, 1e-3) << c.loss.name() << ' ' << i;  // the expected score of a likelihood is 0
      EXPECT_NEAR(sampled.first[i], 0, 0.02 * std::sqrt(largest)) << c.loss.name() << ' ' << i;  // 4 standard errors
    }
    for (std::size_t i = 0; i < exact.second.size(); ++i)
      EXPECT_NEAR(sampled.second[i], exact.second[i], 0.04 * largest) << c.loss.name() << ' ' << i;
  }
}

TEST(DrawnLabels, EveryRowOfTheTableIsALossAndIsTested) {
  std::set<std::string_view> tested;
  for (const Case& c : cases()) tested.insert(loss_named(c.loss.name()).name);
  for (const loss::Likelihood& row : loss::likelihoods()) {
    EXPECT_EQ(tested.count(row.loss), 1U) << row.loss;
    EXPECT_EQ(loss_named(std::string(row.loss)).name, row.loss);
    EXPECT_FALSE(row.distribution.empty());
  }
  EXPECT_EQ(loss::likelihood_of("huber"), nullptr);
}

/// Counts with so large a mean that e^-mean underflows.
TEST(DrawnLabels, CountsWithALargeMeanHaveTheRightMeanAndVariance) {
  constexpr std::int64_t rows = 20000;
  constexpr double mean = 12345;
  Dataset data;
  data.set("input", ones({rows, 1}));
  data.set("target", zeros({rows, 1}));
  const ModelFunction model = [](Scope s, Var x) { return nn::dense(s / "out", x, 1); };
  const EvaluationFunction function = evaluation_of(model, loss::poisson);
  State state = Engine(function, optim::sgd({.lr = 1}), 1).init(data, 1, f64);
  state.set_parameter("out/weight", zeros({1, 1}, f64));
  state.set_parameter("out/bias", full({1}, std::log(mean), f64));
  const TracedObjective traced = trace_objective(function, columns_of(data), 2, Mode::train, f64);
  Workers workers(2);
  Products products(with_drawn_labels(function, "kfac", ""), workers,
                    {.mode = Mode::train, .layers = factored_layers(traced, traced.result)});
  Tensor gradient, factors;
  (void)products.gradient(state, {data}, gradient);
  (void)products.factors(state, {data}, factors);
  EXPECT_NEAR(gradient.at(1), 0, 4 * std::sqrt(mean / rows));
  EXPECT_NEAR(factors.at(4), mean, 0.04 * mean);
}

}  // namespace
}  // namespace thalweg
