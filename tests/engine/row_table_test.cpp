// SAGA, and diagonals by drawn labels: against the formulas in plain code, on gradients of single rows.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "engine/engine.hpp"
#include "engine/model_evaluation.hpp"
#include "engine/row_order.hpp"
#include "optim/asks.hpp"
#include "thalweg/curved_optimizers.hpp"
#include "thalweg/finite_sums.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

Dataset rows(std::int64_t count = 12) {
  Dataset data;
  data.set("input", random_normal({count, 3}, 1));
  data.set("target", random_normal({count, 1}, 2));
  return data;
}

Var net(Scope s, Var x) { return nn::dense(s / "out", tanh(nn::dense(s / "hidden", x, 4)), 1); }

/// Parameters after a training in f32.
std::vector<float> trained(const Optimizer& optimizer, const Dataset& data, FitOptions fit, int threads = 1) {
  Trainer trainer(net, loss::mse, optimizer, threads);
  trainer.fit(data, fit);
  const auto values = trainer.state().parameters.values<float>();
  return {values.begin(), values.end()};
}

/// Defazio, Bach and Lacoste-Julien 2014, equation 1, for batches; from a table of zeros.
std::vector<double> plain_saga(State state, const Dataset& data, std::int64_t batch, std::int64_t steps, double lr) {
  Workers workers(1);
  Products products(evaluation_of(net, loss::mse), workers, {.mode = Mode::train});
  const std::int64_t all = data.rows(), size = state.layout->trained_size;
  std::vector<std::vector<double>> table(static_cast<std::size_t>(all),
                                         std::vector<double>(static_cast<std::size_t>(size)));
  std::vector<double> mean(static_cast<std::size_t>(size));
  Tensor gradient;
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<double> change(mean.size());
    for (std::int64_t k = 0; k < batch; ++k) {
      const std::int64_t row = (step * batch + k) % all;
      const std::int64_t one[] = {row};
      (void)products.gradient(state, {data, one}, gradient);
      for (std::size_t i = 0; i < mean.size(); ++i) {
        const double now = gradient.at(static_cast<std::int64_t>(i));
        change[i] += now - table[static_cast<std::size_t>(row)][i];
        table[static_cast<std::size_t>(row)][i] = now;
      }
    }
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      state.parameters.set(at, state.parameters.at(at) - lr * (change[i] / static_cast<double>(batch) + mean[i]));
      mean[i] += change[i] / static_cast<double>(all);
    }
  }
  std::vector<double> result;
  for (std::int64_t i = 0; i < size; ++i) result.push_back(state.parameters.at(i));
  return result;
}

TEST(Saga, IsThatOfThePaper) {
  for (const DType dtype : {f64, f32}) {
    const Dataset data = rows();
    Engine engine(evaluation_of(net, loss::mse), optim::saga(optim::sgd({.lr = 0.1})), 2);
    State state = engine.init(data, 1, dtype);
    const State start = state_in(f64, state);
    const auto said = engine.add_row_table(state, data.rows());
    ASSERT_TRUE(said);
    EXPECT_NE(said->find("a gradient of each of 12 rows, 21 numbers"), std::string::npos) << *said;
    for (std::int64_t step = 0; step < 30; ++step) {
      const std::int64_t begin = step * 4 % 12;
      const std::int64_t chosen[] = {begin, begin + 1, begin + 2, begin + 3};
      (void)engine.turn(state, {data, chosen}, {});
      ++state.step;
    }
    const std::vector<double> wanted = plain_saga(start, data, 4, 30, 0.1);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      EXPECT_NEAR(state.parameters.at(static_cast<std::int64_t>(i)), wanted[i], dtype == f64 ? 1e-12 : 1e-5) << i;
  }
}

TEST(Saga, IsTheSameForAnyThreadsAndAfterAResume) {
  const Dataset data = rows(60);
  const Optimizer saga = optim::saga(optim::sgd({.lr = 0.05, .momentum = 0.5}));
  FitOptions fit{.epochs = 4, .batch_size = 8};
  const std::vector<float> one = trained(saga, data, fit);
  EXPECT_EQ(one, trained(saga, data, fit, 3));
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "saga_checkpoints";
  std::filesystem::remove_all(folder);
  fit.checkpoints = folder;
  fit.stop_after = 13;
  (void)trained(saga, data, fit);
  fit.stop_after = 0;
  fit.resume = true;
  EXPECT_EQ(one, trained(saga, data, fit, 2));
}

TEST(Saga, ConvergesLinearlyWhereDescentWithOneRateStalls) {
  const Dataset data = rows(40);
  const auto slope = [&](const Optimizer& optimizer, std::int64_t epochs) {
    Engine engine(evaluation_of(nn::linear(1), loss::mse), optimizer, 1);
    State state = engine.init(data, 1, f64);
    (void)engine.add_row_table(state, data.rows());
    FitOptions fit{.epochs = epochs, .batch_size = 4};
    const RunLength length = run_length(fit, 40);
    RowOrder order(fit, length, 40);
    for (std::int64_t step = 0; step < length.steps; ++step) {
      (void)engine.turn(state, {data, order.rows_of(step)}, {});
      ++state.step;
    }
    Workers workers(1);
    Products products(evaluation_of(nn::linear(1), loss::mse), workers);
    Tensor gradient;
    (void)products.gradient(state, {data}, gradient);
    double squares = 0;
    for (std::int64_t i = 0; i < gradient.size(); ++i) squares += gradient.at(i) * gradient.at(i);
    return std::sqrt(squares);
  };
  const Optimizer sgd = optim::sgd({.lr = 0.05});
  EXPECT_GT(slope(sgd, 200), 1e-4);
  const double early = slope(optim::saga(sgd), 50), later = slope(optim::saga(sgd), 100);
  EXPECT_LT(later, 1e-3 * early);
  EXPECT_LT(slope(optim::saga(sgd), 400), 1e-12);
}

template <class F>
void expect_refused(const F& f, std::string_view part) {
  try {
    f();
    ADD_FAILURE() << "not refused: " << part;
  } catch (const UsageError& error) {
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST(Saga, RefusesWhatItCannotKeepOrSum) {
  const Optimizer sgd = optim::sgd({.lr = 0.1});
  expect_refused([&] { (void)trained(optim::saga(sgd, 1e-4), rows(), {.epochs = 1}); },
                 "a gradient of each of 12 rows");
  const ModelFunction restless = [](Scope s, Var x) { return nn::dense(s, nn::dropout(s / "drop", x, 0.5), 1); };
  expect_refused([&] { (void)Trainer(restless, loss::mse, optim::saga(sgd)).fit(rows(), {.epochs = 1}); },
                 "draws random numbers");
  expect_refused(
      [&] {
        TrainStep step(objective_of(net, loss::mse), optim::saga(sgd));
        State state = step.init(rows(), 1);
        (void)step(state, rows());
      },
      "needs all rows");
}

Dataset labelled(std::int64_t count) {
  Dataset data;
  data.set("input", random_normal({count, 3}, 3));
  data.set("target", random_uniform({count}, 0, 3, 4, f64).to(i32));
  return data;
}

void expect_diagonal(const LossFunction& loss, const Dataset& data, double terms) {
  SCOPED_TRACE(loss.name());
  const EvaluationFunction function = evaluation_of(nn::linear(3), loss);
  State state = Engine(function, optim::sgd({.lr = 1}), 1).init(data, 1, f64);
  Workers workers(1);
  Products drawn(with_drawn_labels(function, "sophia", ""), workers, {.mode = Mode::train}), exact(function, workers);
  const std::int64_t size = state.layout->trained_size;
  std::vector<double> mean(static_cast<std::size_t>(size));
  Tensor gradient, product, unit({size}, f64);
  constexpr int draws = 4000;
  for (state.step = 0; state.step < draws; ++state.step) {
    (void)drawn.gradient(state, {data}, gradient);
    EXPECT_EQ(drawn.weight(), terms);
    for (std::int64_t i = 0; i < size; ++i)
      mean[static_cast<std::size_t>(i)] += drawn.weight() * gradient.at(i) * gradient.at(i) / draws;
  }
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t k = 0; k < size; ++k) unit.set(k, k == i);
    (void)exact.gauss_newton_times(state, {data}, unit, product);
    EXPECT_NEAR(mean[static_cast<std::size_t>(i)], product.at(i), 0.1 * product.at(i)) << i;  // 4 standard errors
  }
}

TEST(DrawnLabels, TheirSquaredGradientIsTheDiagonalOfTheGaussNewtonMatrixInTheMean) {
  Dataset data = labelled(16);
  expect_diagonal(loss::cross_entropy, data, 16);
  data.set("target", random_normal({16, 3}, 5));
  expect_diagonal(loss::mse, data, 48);
  data.set("target", random_uniform({16, 3}, 0, 5, 6, f64).to(i32).to(f32));
  expect_diagonal(loss::poisson, data, 48);
}

TEST(DrawnLabels, SophiaTakesThemForWhatCanBeDrawnAndNoOther) {
  const Dataset data = labelled(32);
  const Optimizer sophia = optim::sophia({.lr = 1e-2, .diagonal = "drawn_labels", .every = 2});
  const auto train = [&](int threads) {
    Trainer trainer(nn::mlp(3, {.hidden = {5}}), loss::cross_entropy, sophia, threads);
    trainer.fit(data, {.epochs = 3, .batch_size = 8});
    const auto values = trainer.state().parameters.values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> one = train(1);
  EXPECT_EQ(one, train(3));
  for (const float value : one) EXPECT_TRUE(std::isfinite(value));
  expect_refused([&] { (void)Trainer(net, loss::huber, sophia).fit(rows(), {.epochs = 1}); }, "huber does not say it");
  const LossFunction weighted = loss::make_cross_entropy({.class_weights = {1, 2, 3}});
  expect_refused([&] { (void)Trainer(nn::linear(3), weighted, sophia).fit(data, {.epochs = 1}); }, "class_weights");
}

}  // namespace
}  // namespace thalweg
