#include "insight/run_watch.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "moons.hpp"

namespace thalweg {
namespace {

/// A run on two_moons with as many looks as possible.
struct Watched {
  Dataset data = two_moons(240);
  ModelFunction model;
  std::vector<Look> looks;
  Trainer trainer;
  FitOptions fit;

  Watched(const Optimizer& optimizer, const WatchOptions& options, int threads = 1, double dropout = 0)
      : model([dropout](Scope s, Var x) {
          x = tanh(nn::dense(s / "hidden", x, 6));
          return nn::dense(s / "output", dropout > 0 ? nn::dropout(s / "dropout", x, dropout) : x, 2);
        }),
        trainer(model, loss::cross_entropy, optimizer, threads) {
    fit = {.epochs = 4, .batch_size = 48};
    RunWatch watch(evaluation_of(model, loss::cross_entropy), data, fit, options, threads);
    fit.on_step = [&](const StepReport& step) {
      if (auto look = watch.after(step, trainer.state())) looks.push_back(*look);
    };
    trainer.fit(data, fit);
  }
};

constexpr double no_limit = 1e9;

TEST(RunWatch, EffectiveRatesOfPlainDescentAreTheLearningRate) {
  const Watched run(optim::sgd({.lr = 0.1}), {.every = 1, .budget = no_limit}, 1, 0.2);
  ASSERT_EQ(run.looks.size(), 19U);  // one for each of 20 steps except the first
  const int bin = -4;                // 10^(-4/4)
  for (const Look& look : run.looks) {
    ASSERT_EQ(look.layers.size(), 2U);
    for (const Look::Layer& layer : look.layers) {
      EXPECT_GT(layer.rates.moved(), 0);
      EXPECT_GE(layer.rates.bins.count(bin) ? layer.rates.bins.at(bin) : 0, 0.9 * double(layer.rates.moved()));
    }
  }
  EXPECT_DOUBLE_EQ(RateHistogram::rate_of(bin), 0.1);
}

TEST(RunWatch, UpdateOverWeightIsComputedFromTheStatesAroundTheStep) {
  std::vector<State> states;
  Dataset data = two_moons(240);
  const ModelFunction model = nn::mlp(2, {.hidden = {6}});
  Trainer trainer(model, loss::cross_entropy, optim::adam({.lr = 1e-2}), 1);
  FitOptions fit{.epochs = 2, .batch_size = 48};
  RunWatch watch(evaluation_of(model, loss::cross_entropy), data, fit, {.every = 5, .budget = no_limit}, 1);
  std::vector<Look> looks;
  fit.on_step = [&](const StepReport& step) {
    if (auto look = watch.after(step, trainer.state())) looks.push_back(*look);
    states.push_back(trainer.state());
  };
  trainer.fit(data, fit);
  ASSERT_EQ(looks.size(), 2U);
  EXPECT_EQ(looks[0].step, 5);
  EXPECT_EQ(looks[1].step, 10);
  double change = 0, weight = 0;
  for (const char* name : {"layer1/weight", "layer1/bias"}) {
    const Tensor before = states[3].parameter(name), after = states[4].parameter(name);
    for (std::int64_t i = 0; i < before.size(); ++i) {
      change += std::pow(after.at(i) - before.at(i), 2);
      weight += std::pow(before.at(i), 2);
    }
  }
  EXPECT_NEAR(looks[0].layers[0].update, std::sqrt(change / weight), 1e-12);
}

TEST(RunWatch, ChangesNoBitOfTheRunAndIsTheSameForAnyThreads) {
  const Optimizer adam = optim::adam({.lr = 1e-2});
  const WatchOptions all{.every = 3, .largest = true, .budget = no_limit};
  const Watched one(adam, all, 1, 0.2), three(adam, all, 3, 0.2);
  const Watched never(adam, {.every = 1000}, 1, 0.2);
  EXPECT_TRUE(never.looks.empty());
  const auto bits = [](const Watched& w) { return w.trainer.state().parameters.values<float>(); };
  EXPECT_TRUE(std::ranges::equal(bits(one), bits(never)));
  ASSERT_EQ(one.looks.size(), three.looks.size());
  for (std::size_t i = 0; i < one.looks.size(); ++i) {
    EXPECT_EQ(one.looks[i].signal, three.looks[i].signal);
    EXPECT_EQ(one.looks[i].noise, three.looks[i].noise);
    EXPECT_EQ(one.looks[i].largest->value, three.looks[i].largest->value);
    EXPECT_EQ(one.looks[i].layers[0].rates.bins, three.looks[i].layers[0].rates.bins);
  }
}

TEST(RunWatch, NoiseIsThatOfTheRowsGradientsWithinItsError) {
  const Watched run(optim::sgd({.lr = 1e-6}), {.every = 1, .budget = no_limit});  // the parameters hardly change
  const EvaluationFunction function = evaluation_of(run.model, loss::cross_entropy);
  Workers workers(1);
  Products products(function, workers);
  Tensor whole, one;
  const State& at = run.trainer.state();
  (void)products.gradient(at, {run.data}, whole);
  double noise = 0;
  for (std::int64_t r = 0; r < run.data.rows(); ++r) {
    (void)products.gradient(at, {run.data.slice(r, r + 1)}, one);
    for (std::int64_t i = 0; i < one.size(); ++i) noise += std::pow(one.at(i) - whole.at(i), 2) / 239;
  }
  double signal = 0;
  for (std::int64_t i = 0; i < whole.size(); ++i) signal += whole.at(i) * whole.at(i);
  const Estimate scale = noise_scale(run.looks);
  EXPECT_NEAR(scale.value, noise / signal, 0.25 * noise / signal);
  EXPECT_NEAR(scale.value, noise / signal, 3 * scale.error);
  EXPECT_LT(scale.error, 0.2 * scale.value);
  EXPECT_TRUE(std::isinf(noise_scale(std::span(run.looks).first(2)).error));
}

/// The expected error is computed by hand from looks with known noise and signal.
TEST(RunWatch, ErrorOfTheNoiseIsTheJackknifeOverLooks) {
  const std::vector<Look> looks = {{.signal = 1, .noise = 10}, {.signal = 2, .noise = 10}, {.signal = 3, .noise = 40}};
  const double without[] = {50.0 / 5, 50.0 / 4, 20.0 / 3}, mean = (10 + 12.5 + 20.0 / 3) / 3;
  double squares = 0;
  for (const double scale : without) squares += (scale - mean) * (scale - mean);
  EXPECT_DOUBLE_EQ(noise_scale(looks).value, 10);
  EXPECT_DOUBLE_EQ(noise_scale(looks).error, std::sqrt(2.0 / 3 * squares));
}

/// 240 rows in batches of 50: the fifth step has 40 rows, but the batch size of its look is 50.
TEST(RunWatch, TheBatchSizeIsThatOfAFullStep) {
  const Dataset data = two_moons(240);
  const ModelFunction model = nn::mlp(2, {.hidden = {6}});
  Trainer trainer(model, loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  FitOptions fit{.epochs = 2, .batch_size = 50};
  RunWatch watch(evaluation_of(model, loss::cross_entropy), data, fit, {.every = 5, .budget = no_limit}, 1);
  std::vector<std::int64_t> batches;
  fit.on_step = [&](const StepReport& step) {
    if (const auto look = watch.after(step, trainer.state())) batches.push_back(look->batch_size);
  };
  trainer.fit(data, fit);
  EXPECT_EQ(batches, (std::vector<std::int64_t>{50, 50}));
}

TEST(RunWatch, LeavesOutLooksBeyondTheBudget) {
  const Dataset data = two_moons(240);
  const ModelFunction model = nn::mlp(2, {.hidden = {6}});
  Trainer trainer(model, loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  FitOptions fit{.epochs = 20, .batch_size = 48};
  RunWatch watch(evaluation_of(model, loss::cross_entropy), data, fit, {.every = 1, .budget = 1e-9}, 1);
  int looks = 0;
  fit.on_step = [&](const StepReport& step) { looks += watch.after(step, trainer.state()).has_value(); };
  trainer.fit(data, fit);
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(watch.left_out(), 98);
}

TEST(RunWatch, LooksAtTheFirstStepIfItKnowsTheInitialState) {
  const Dataset data = two_moons(240);
  const ModelFunction model = nn::mlp(2, {.hidden = {6}});
  Trainer trainer(model, loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  trainer.init(data, 1);
  FitOptions fit{.epochs = 1, .batch_size = 48};
  RunWatch watch(evaluation_of(model, loss::cross_entropy), data, fit, {.every = 1, .budget = no_limit}, 1);
  EXPECT_EQ(watch.due(), 5);
  std::vector<std::int64_t> looks;
  fit.on_step = [&](const StepReport& step) {
    if (const auto look = watch.after(step, trainer.state())) looks.push_back(look->step);
  };
  watch.begin(trainer.state());
  trainer.fit(data, fit);
  EXPECT_EQ(looks, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST(RateHistogram, HasTheMedianOfTheParametersThatMoved) {
  const Tensor before = Tensor::from(std::vector<double>{1, 1, 1, 1, 0}, {5});
  const Tensor after = Tensor::from(std::vector<double>{1.1, 1.01, 1.01, 1, 0}, {5});
  const Tensor gradient = Tensor::from(std::vector<double>{1, 1, -1, 1, 0}, {5});
  Moved moved;
  moved.add(before, after, gradient, 0, 5);
  EXPECT_EQ(moved.rates.unmoved, 2);
  EXPECT_EQ(moved.rates.moved(), 3);
  EXPECT_DOUBLE_EQ(moved.rates.quantile(0.5), 0.01);
  EXPECT_DOUBLE_EQ(moved.rates.quantile(1), 0.1);
  EXPECT_TRUE(std::isnan(RateHistogram{}.quantile(0.5)));
}

}  // namespace
}  // namespace thalweg
