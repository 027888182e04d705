// Optimizers that need more than the gradient of a batch: against PyTorch (tests/reference/asks.py) and plain code.

#include "engine/guide.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.hpp"
#include "optim/asks.hpp"
#include "reference_file.hpp"
#include "temporary_folder.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// The same numbers as in tests/reference/asks.py.
Tensor numbers(const Shape& shape, std::int64_t a, std::int64_t b, DType dtype = f32) {
  Tensor t(shape, dtype);
  for (std::int64_t i = 0; i < t.size(); ++i) t.set(i, static_cast<double>((a * i + b) % 29 - 14) / 16);
  return t;
}

Dataset rows() {
  Dataset data;
  data.set("input", numbers({12, 3}, 7, 3));
  data.set("target", numbers({12, 1}, 11, 5));
  return data;
}

Var net(Scope s, Var x) { return nn::dense(s / "out", tanh(nn::dense(s / "hidden", x, 4)), 1); }

/// Takes steps of an engine on batches of four rows in order.
class Walk {
 public:
  Walk(const Optimizer& optimizer, int threads = 1, DType dtype = f64)
      : engine(evaluation_of(net, loss::mse), optimizer, threads), state(engine.init(data, 1, dtype)) {
    state.set_parameter("hidden/weight", numbers({3, 4}, 5, 1, dtype));
    state.set_parameter("hidden/bias", numbers({4}, 3, 9, dtype));
    state.set_parameter("out/weight", numbers({4, 1}, 13, 2, dtype));
    state.set_parameter("out/bias", numbers({1}, 1, 20, dtype));
  }

  void step(std::int64_t shard_size = 0) {
    const std::int64_t begin = state.step * 4 % 12;
    const std::int64_t chosen[] = {begin, begin + 1, begin + 2, begin + 3};
    const Progress progress{state.step, 1000, 3};
    (void)engine.turn(state, {data, chosen}, {{&progress, 1}, shard_size, {}});
    ++state.step;
  }

  [[nodiscard]] std::vector<double> parameters() const {
    std::vector<double> all;
    for (const char* name : {"hidden/weight", "hidden/bias", "out/weight", "out/bias"}) {
      const Tensor t = state.parameter(name);
      for (std::int64_t i = 0; i < t.size(); ++i) all.push_back(t.at(i));
    }
    return all;
  }

  Dataset data = rows();
  Engine engine;
  State state;
};

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    error = std::max(error, std::abs(a[i] - b[i]));
  }
  return error / largest;
}

double difference(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a.at(i) - b.at(i)));
  return most;
}

TEST(Guide, PathsAreThoseWithPyTorchsGradients) {
  const auto reference = testing::reference("asks");
  EXPECT_EQ(reference["cases"].size(), 5U);
  for (const auto& entry : reference["cases"]) {
    const auto kind = entry["kind"].get<std::string>();
    SCOPED_TRACE(kind + entry["options"].dump());
    for (const DType dtype : {f64, f32}) {
      Walk walk(optimizer_named(kind).make(testing::options_of(entry["options"])), 1, dtype);
      const auto& steps = reference["steps"];
      for (std::size_t k = 0; k < steps.size(); ++k) {
        while (walk.state.step < steps[k].get<std::int64_t>()) walk.step();
        EXPECT_LE(distance(walk.parameters(), entry["x"][k].get<std::vector<double>>()), dtype == f64 ? 1e-12 : 1e-5)
            << "step " << steps[k];
      }
    }
  }
}

/// Computes gradients and diagonal estimates for the elementwise formulas in plain code.
class Plain {
 public:
  explicit Plain(bool gauss_newton) : gauss_newton_(gauss_newton) {}

  void step(State& state, const Dataset& data, std::int64_t number, bool due) {
    const std::int64_t begin = (number - 1) * 4 % 12;
    const std::int64_t chosen[] = {begin, begin + 1, begin + 2, begin + 3};
    const RowSelection rows{data, chosen};
    products_.gradient(state, rows, gradient);
    if (!due) return;
    signs = Tensor(gradient.shape(), f64);
    draw_signs(state.seed, number, 0, signs);
    gauss_newton_ ? products_.gauss_newton_times(state, rows, signs, diagonal)
                  : products_.hessian_times(state, rows, signs, diagonal);
    for (std::int64_t i = 0; i < signs.size(); ++i) diagonal.set(i, diagonal.at(i) * signs.at(i));
  }
  Tensor gradient, signs, diagonal;

 private:
  bool gauss_newton_;
  Workers alone_{1};
  Products products_{evaluation_of(net, loss::mse), alone_, {.mode = Mode::train}};
};

TEST(Guide, SophiaFollowsItsFormula) {
  for (const std::string diagonal : {"gauss_newton", "hessian"}) {
    Walk walk(optim::sophia({.lr = 0.02, .gamma = 0.1, .weight_decay = 0.01, .diagonal = diagonal, .every = 3}));
    State plain = walk.state;
    Plain asked(diagonal == "gauss_newton");
    const std::int64_t n = plain.layout->trained_size, decayed = plain.layout->decayed_size;
    std::vector<double> m(static_cast<std::size_t>(n)), h = m;
    for (std::int64_t t = 1; t <= 30; ++t) {
      const bool due = t % 3 == 1;
      asked.step(plain, walk.data, t, due);
      for (std::int64_t i = 0; i < n; ++i) {
        const auto k = static_cast<std::size_t>(i);
        m[k] = 0.96 * m[k] + 0.04 * asked.gradient.at(i);
        if (due) h[k] = 0.99 * h[k] + 0.01 * asked.diagonal.at(i);
        const double x = plain.parameters.at(i), step = m[k] / std::max(0.1 * h[k], 1e-12);
        plain.parameters.set(i, x - 0.02 * (std::clamp(step, -1.0, 1.0) + (i < decayed ? 0.01 * x : 0)));
      }
      walk.step();
    }
    EXPECT_LE(difference(walk.state.parameters, plain.parameters), 1e-12) << diagonal;
  }
}

TEST(Guide, AdaHessianFollowsItsFormula) {
  Walk walk(optim::adahessian({.lr = 0.05, .power = 0.8, .every = 2}));
  State plain = walk.state;
  Plain asked(false);
  const std::int64_t n = plain.layout->trained_size;
  std::vector<double> m(static_cast<std::size_t>(n)), v = m;
  for (std::int64_t t = 1; t <= 30; ++t) {
    asked.step(plain, walk.data, t, t % 2 == 1);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto k = static_cast<std::size_t>(i);
      m[k] = 0.9 * m[k] + 0.1 * asked.gradient.at(i);
      v[k] = 0.999 * v[k] + 0.001 * asked.diagonal.at(i) * asked.diagonal.at(i);
      const double root = std::pow(std::sqrt(v[k] / (1 - std::pow(0.999, t))), 0.8) + 1e-4;
      plain.parameters.set(i, plain.parameters.at(i) - 0.05 * m[k] / (1 - std::pow(0.9, t)) / root);
    }
    walk.step();
  }
  EXPECT_LE(difference(walk.state.parameters, plain.parameters), 1e-12);
}

TEST(Guide, RandomSignsAreBalancedAndDependOnlyOnTheirPlace) {
  Tensor all(Shape{4096}, f32), part(Shape{96}, f32);
  draw_signs(7, 3, 0, all);
  draw_signs(7, 3, 1000, part);
  double sum = 0;
  for (std::int64_t i = 0; i < all.size(); ++i) {
    sum += all.at(i);
    EXPECT_EQ(std::abs(all.at(i)), 1);
  }
  EXPECT_LT(std::abs(sum), 200);
  for (std::int64_t i = 0; i < part.size(); ++i) EXPECT_EQ(part.at(i), all.at(1000 + i));
}

/// With a constant rate, the gradient noise keeps SGD away from the minimum. The noise of SVRG goes to 0.
TEST(Guide, SvrgConvergesWhereSgdStalls) {
  const EvaluationFunction line = evaluation_of([](Scope s, Var x) { return nn::dense(s / "y", x, 1); }, loss::mse);
  const Dataset data = rows();
  const auto norm_after = [&](const Optimizer& optimizer, std::int64_t steps) {
    Engine engine(line, optimizer, 1);
    State state = engine.init(data, 1, f64);
    for (; state.step < steps; ++state.step) {
      const std::int64_t begin = state.step * 4 % 12;
      const std::int64_t chosen[] = {begin, begin + 1, begin + 2, begin + 3};
      const Progress progress{state.step, steps, 3};
      (void)engine.turn(state, {data, chosen}, {{&progress, 1}, 0, {}});
    }
    Workers alone(1);
    Products products(line, alone);
    Tensor gradient;
    (void)products.gradient(state, {data}, gradient);
    return norm(gradient);
  };
  const Optimizer sgd = optim::sgd({.lr = 0.1});
  EXPECT_GT(norm_after(sgd, 3000), 1e-3);
  const double early = norm_after(optim::svrg(sgd), 500), late = norm_after(optim::svrg(sgd), 3000);
  EXPECT_LT(early, 1e-2);
  EXPECT_LT(late, 1e-9);
}

std::vector<Optimizer> all_that_ask() {
  return {optim::sam(optim::sgd({.lr = 0.1, .momentum = 0.9})), optim::sam(optim::adam(), 0.5, true),
          optim::svrg(optim::sgd({.lr = 0.1})), optim::sophia({.lr = 1e-2, .every = 3}),
          optim::adahessian({.lr = 0.05})};
}

TEST(Guide, TheBitsAreTheSameForAnyNumberOfThreads) {
  for (const Optimizer& optimizer : all_that_ask()) {
    Walk one(optimizer, 1, f32), three(optimizer, 3, f32);
    for (int i = 0; i < 8; ++i) one.step(1), three.step(1);
    EXPECT_TRUE(identical(one.state.parameters, three.state.parameters)) << optimizer.name;
  }
}

/// A model with random numbers (dropout) and running statistics (batch norm), for optimizers that allow these.
Var restless(Scope s, Var x) {
  const Var hidden = nn::dropout(s / "drop", nn::batch_norm(s / "norm", nn::dense(s / "hidden", x, 8)), 0.3);
  return nn::dense(s / "out", relu(hidden), 1);
}

Trainer trainer_of(const Optimizer& optimizer, int threads = 1) {
  return asks_of(optimizer).anchored ? Trainer(net, loss::mse, optimizer, threads)
                                     : Trainer(restless, loss::mse, optimizer, threads);
}

TEST(Guide, ARunResumesWithTheSameBits) {
  for (const Optimizer& optimizer : all_that_ask()) {
    const testing::TemporaryFolder folder;
    const FitOptions whole{.epochs = 4, .batch_size = 4, .shard_size = 2};
    FitOptions first = whole, second = whole;
    first.stop_after = 5, first.checkpoints = folder / "checkpoints";
    second.checkpoints = folder / "checkpoints", second.resume = true;
    Trainer uncut = trainer_of(optimizer), begun = trainer_of(optimizer), resumed = trainer_of(optimizer, 2);
    (void)uncut.fit(rows(), whole);
    (void)begun.fit(rows(), first);
    (void)resumed.fit(rows(), second);
    EXPECT_TRUE(identical(uncut.state().parameters, resumed.state().parameters)) << optimizer.name;
  }
}

/// The last batch of an epoch has 2 rows, and here it is the first batch of the resumed run.
TEST(Guide, ARunResumesWithTheSameBitsFromASmallerBatch) {
  for (const Optimizer& optimizer : {optim::sophia({.lr = 1e-2, .every = 2}), optim::adahessian({.lr = 0.05})}) {
    const testing::TemporaryFolder folder;
    const FitOptions whole{.epochs = 4, .batch_size = 5, .shard_size = 4};
    FitOptions first = whole, second = whole;
    first.stop_after = 2, first.checkpoints = folder / "checkpoints";
    second.checkpoints = folder / "checkpoints", second.resume = true;
    Trainer uncut = trainer_of(optimizer), begun = trainer_of(optimizer), resumed = trainer_of(optimizer);
    (void)uncut.fit(rows(), whole);
    (void)begun.fit(rows(), first);
    (void)resumed.fit(rows(), second);
    EXPECT_TRUE(identical(uncut.state().parameters, resumed.state().parameters)) << optimizer.name;
  }
}

/// SAM uses the same dropout mask for both gradients of a step. So with a tiny radius it takes the steps of plain SGD.
TEST(Guide, SamKeepsTheRandomNumbersOfAStep) {
  const FitOptions options{.epochs = 3, .batch_size = 4};
  Trainer plain(restless, loss::mse, optim::sgd({.lr = 0.05})),
      sam(restless, loss::mse, optim::sam(optim::sgd({.lr = 0.05}), 1e-9));
  (void)plain.fit(rows(), options);
  (void)sam.fit(rows(), options);
  EXPECT_LE(difference(plain.state().parameters, sam.state().parameters), 1e-5);
}

TEST(Guide, FrozenParametersDoNotChange) {
  for (Optimizer optimizer : all_that_ask()) {
    optimizer.groups = {{.pattern = "hidden/*", .frozen = true}};
    Walk walk(optimizer);
    const Tensor before = walk.state.parameter("hidden/weight"), out = walk.state.parameter("out/weight");
    for (int i = 0; i < 4; ++i) walk.step();
    EXPECT_TRUE(identical(walk.state.parameter("hidden/weight"), before)) << optimizer.name;
    EXPECT_FALSE(identical(walk.state.parameter("out/weight"), out)) << optimizer.name;
  }
}

TEST(Guide, NothingMovesWhereAllIsFrozen) {
  std::vector<Optimizer> all = all_that_ask();
  all.push_back(optim::saga(optim::sgd({.lr = 0.1})));
  all.push_back(optim::sophia({.diagonal = "drawn_labels"}));
  for (Optimizer& optimizer : all) {
    optimizer.groups = {{.pattern = "*", .frozen = true}};
    Trainer trainer(net, loss::mse, optimizer, 1);
    trainer.init(rows(), 1);
    const Tensor before = trainer.state().parameters;
    (void)trainer.fit(rows(), {.epochs = 2, .batch_size = 4});
    EXPECT_TRUE(identical(trainer.state().parameters, before)) << optimizer.name;
  }
}

void expect_refused(const std::function<void()>& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "not refused: " << part;
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Guide, UnsupportedCasesAreRefusedWithTheReason) {
  const Optimizer svrg = optim::svrg(optim::sgd({.lr = 0.1}));
  expect_refused([&] { (void)Trainer(restless, loss::mse, svrg).fit(rows(), {.epochs = 1}); }, "draws random numbers");
  expect_refused([&] { (void)train_step(objective_of(net, loss::mse), svrg)(*std::make_unique<State>(), rows()); },
                 "empty state");
  expect_refused(
      [&] {
        TrainStep step(objective_of(net, loss::mse), svrg);
        State state = step.init(rows(), 1);
        (void)step(state, rows());
      },
      "all rows");
  expect_refused([&] { (void)optim::sam(svrg); }, "itself asks for more than a gradient");
  expect_refused([&] { (void)optim::sam(optim::lbfgs()); }, "owns its steps");
  const Objective objective = objective_of(net, loss::mse);
  expect_refused(
      [&] {
        std::vector<ObjectiveRow> two{{"a", objective, optim::sam(optim::adam()), {.trains = "hidden/*"}},
                                      {"b", objective, optim::adam(), {.trains = "out/*"}}};
        const Trainer trainer(two, {.simultaneous = true});
      },
      "they take turns");
}

TEST(Guide, AGroupsMethodNeedsOnlyTheGradient) {
  const Optimizer base = optim::sgd({.lr = 0.1});
  for (const OptimizerRow& row : optimizers()) {
    OptionMap own = {{"kind", {std::string(row.name)}}};
    if (row.name == "lars") own["lr"] = {0.1};
    const OptionMap group = {{"pattern", {std::string("hidden/*")}}, {"optimizer", {own}}};
    if (make_optimizer(own).method) {
      expect_refused([&] { (void)make_group(group, base); }, "one method for all that is trained");
    } else {
      EXPECT_FALSE(make_group(group, base).chain.empty()) << row.name;
    }
  }
  const auto trained = [&](const std::vector<Transform>& chain, Schedule schedule = {}) {
    Optimizer optimizer = optim::sgd({.lr = 0.1, .schedule = std::move(schedule)});
    optimizer.groups = {{.pattern = "hidden/*", .chain = chain}};
    (void)Trainer(net, loss::mse, optimizer, 1).fit(rows(), {.epochs = 1});
  };
  for (const Optimizer& own :
       {optim::adahessian(), optim::sophia(), optim::kfac(), optim::saga(base), optim::svrg(base)})
    expect_refused([&] { trained(own.chain); }, "one method for all that is trained");
  const Optimizer falling = optim::adam({.schedule = schedule::cosine()});
  expect_refused([&] { trained(falling.chain); }, "has a schedule, cosine");
  EXPECT_NO_THROW(trained(falling.chain, schedule::cosine()));
  EXPECT_NO_THROW(trained(optim::adam().chain, schedule::cosine()));
}

}  // namespace
}  // namespace thalweg
