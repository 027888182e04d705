// SAGA, and Sophia's diagonal from drawn labels: against the formulas in plain code, with the gradients of single rows.

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.hpp"
#include "engine/model_evaluation.hpp"
#include "engine/row_order.hpp"
#include "optim/asks.hpp"
#include "temporary_folder.hpp"
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
std::vector<float> trained(const Optimizer& optimizer, const Dataset& data, FitOptions fit, int threads = 1,
                           const ModelFunction& model = net) {
  Trainer trainer(model, loss::mse, optimizer, threads);
  trainer.fit(data, fit);
  const auto values = trainer.state().parameters.values<float>();
  return {values.begin(), values.end()};
}

/// Defazio, Bach and Lacoste-Julien 2014, equation 1, generalised to batches; the table starts with zeros.
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

TEST(Saga, FollowsThePaper) {
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

/// Takes 40 steps on batches of five rows, in f64 or f32. `table` names a slot of zeros to start with, if it is not
/// empty.
State walked(const ModelFunction& model, const LossFunction& loss, const Dataset& data, DType dtype,
             const Optimizer& optimizer, const std::string& table = {}, std::int64_t shard_size = 0) {
  Engine engine(evaluation_of(model, loss), optimizer, 2);
  State state = engine.with_slots(engine.init(data, 1, dtype));
  if (!table.empty()) state.slots.emplace_back(table, zeros({data.rows() * state.layout->trained_size}, dtype));
  (void)engine.add_row_table(state, data.rows());
  for (std::int64_t step = 0; step < 40; ++step) {
    std::vector<std::int64_t> chosen;
    for (std::int64_t k = 0; k < 5; ++k) chosen.push_back((step * 5 + k * 7) % data.rows());
    (void)engine.turn(state, {data, chosen}, {.shard_size = shard_size});
    ++state.step;
  }
  return state;
}

double distance(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a.at(i) - b.at(i)));
  return most;
}

std::int64_t table_size(const State& state, const std::string& name) {
  for (const auto& [known, values] : state.slots) {
    if (known == name) return values.size();
  }
  return 0;
}

/// With weighted rows, several outputs per row, classes, positions of a sequence, and a network whose other layers are
/// frozen.
TEST(Saga, OfAnAffineModelKeepsOutputSlopesAndTakesTheSameSteps) {
  struct Affine {
    ModelFunction model;
    LossFunction loss;
    Dataset data;
    std::int64_t numbers;  ///< per row of the table
    std::string frozen = {};
  };
  Dataset weighted = rows(), wide = rows(), classes = rows(), places = rows();
  weighted.set("weight", random_uniform({12}, 0.5, 2, 8));
  wide.set("target", random_normal({12, 2}, 3));
  classes.set("target", random_uniform({12}, 0, 3, 4, f64).to(i32));
  places.set("input", random_normal({12, 4, 5}, 5)), places.set("target", random_normal({12, 4, 2}, 6));
  const ModelFunction table = [](Scope s, Var x) { return nn::dense(s, x, 2); };
  const std::vector<Affine> cases = {
      {nn::linear(1), loss::mse, rows(), 1}, {nn::linear(1), loss::huber, weighted, 1},
      {nn::linear(2), loss::mse, wide, 2},   {nn::linear(3), loss::cross_entropy, classes, 3},
      {table, loss::mse, places, 8},         {net, loss::mse, rows(), 1, "hidden/*"}};
  for (const Affine& c : cases) {
    for (const DType dtype : {f64, f32}) {
      Optimizer saga = optim::saga(optim::sgd({.lr = 0.05, .momentum = 0.5}));
      if (!c.frozen.empty()) saga.groups = {{.pattern = c.frozen, .frozen = true}};
      const State slopes = walked(c.model, c.loss, c.data, dtype, saga),
                  sharded = walked(c.model, c.loss, c.data, dtype, saga, {}, 2);
      if (c.frozen.empty()) {
        const State gradients = walked(c.model, c.loss, c.data, dtype, saga, "rows:gradients");
        EXPECT_EQ(table_size(gradients, "rows:slopes"), 0);
        EXPECT_LE(distance(slopes.parameters, gradients.parameters), dtype == f64 ? 1e-13 : 1e-5) << c.loss.name();
      }
      EXPECT_EQ(table_size(slopes, "rows:slopes"), 12 * c.numbers) << c.loss.name();
      EXPECT_EQ(table_size(slopes, "rows:gradients"), 0);
      EXPECT_LE(distance(slopes.parameters, sharded.parameters), dtype == f64 ? 1e-13 : 1e-5) << c.loss.name();
    }
  }
}

TEST(Saga, KeepsGradientsIfTheModelIsNotAffine) {
  const ModelFunction bent = [](Scope s, Var x) { return square(nn::dense(s, x, 1)); },
                      product = [](Scope s, Var x) { return nn::dense(s, x, 1) * s.parameter("scale", {1}); };
  for (const ModelFunction& model : {bent, product}) {
    const State state = walked(model, loss::mse, rows(), f64, optim::saga(optim::sgd({.lr = 0.01})));
    EXPECT_EQ(table_size(state, "rows:slopes"), 0);
    EXPECT_EQ(table_size(state, "rows:gradients"), 12 * state.layout->trained_size);
  }
}

TEST(Saga, IsTheSameForAnyThreadsAndAfterAResume) {
  const Dataset data = rows(60);
  const Optimizer saga = optim::saga(optim::sgd({.lr = 0.05, .momentum = 0.5}));
  for (const ModelFunction& model : {ModelFunction(net), nn::linear(1)}) {
    FitOptions fit{.epochs = 4, .batch_size = 8};
    const std::vector<float> one = trained(saga, data, fit, 1, model);
    EXPECT_EQ(one, trained(saga, data, fit, 3, model));
    const testing::TemporaryFolder folder;
    fit.checkpoints = folder / "checkpoints";
    fit.stop_after = 13;
    (void)trained(saga, data, fit, 1, model);
    fit.stop_after = 0;
    fit.resume = true;
    EXPECT_EQ(one, trained(saga, data, fit, 2, model));
  }
}

TEST(Saga, ConvergesLinearlyWhereSgdWithAConstantRateStalls) {
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

TEST(Saga, RefusesUnsupportedCases) {
  const Optimizer sgd = optim::sgd({.lr = 0.1});
  expect_refused([&] { (void)trained(optim::saga(sgd, 1e-4), rows(), {.epochs = 1}); },
                 "a gradient of each of 12 rows");
  expect_refused([&] { (void)trained(optim::saga(sgd, 1e-5), rows(), {.epochs = 1}, 1, nn::linear(1)); },
                 "a slope at each output of each of 12 rows, 1 number");
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
    EXPECT_NEAR(mean[static_cast<std::size_t>(i)], product.at(i), 0.1 * product.at(i))
        << i;  // 0.1 is 4 standard errors
  }
}

TEST(DrawnLabels, TheMeanOfTheirSquaredGradientIsTheDiagonalOfTheGaussNewtonMatrix) {
  Dataset data = labelled(16);
  expect_diagonal(loss::cross_entropy, data, 16);
  data.set("target", random_normal({16, 3}, 5));
  expect_diagonal(loss::mse, data, 48);
  data.set("target", random_uniform({16, 3}, 0, 5, 6, f64).to(i32).to(f32));
  expect_diagonal(loss::poisson, data, 48);
}

TEST(DrawnLabels, SophiaUsesThemForLikelihoodsOnly) {
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
