// K-FAC: which layers have factors, its path against plain NumPy (tests/reference/kfac.py), and the properties that
// every method has.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/engine.hpp"
#include "engine/factors.hpp"
#include "engine/model_evaluation.hpp"
#include "engine/step_needs.hpp"
#include "optim/asks.hpp"
#include "reference_file.hpp"
#include "temporary_folder.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// The same numbers as in tests/reference/kfac.py.
Tensor numbers(const Shape& shape, std::int64_t a, std::int64_t b, double shift = 0) {
  Tensor t(shape, f64);
  for (std::int64_t i = 0; i < t.size(); ++i) t.set(i, shift + static_cast<double>((a * i + b) % 29 - 14) / 16);
  return t;
}

Var mlp(Scope s, Var x) { return nn::dense(s / "out", tanh(nn::dense(s / "hidden", x, 4)), 2); }

Var conv(Scope s, Var x) {
  x = tanh(nn::conv2d(s / "first", x, {.filters = 3, .kernel = 3}));
  x = tanh(nn::conv2d(s / "second", x, {.filters = 2, .kernel = 2, .stride = 2, .padding = "valid", .bias = false}));
  return nn::dense(s / "out", flatten(x) * s.parameter("gain", {8}), 3);
}

struct Problem {
  ModelFunction model;
  LossFunction loss;
  Dataset data;
  std::vector<std::pair<std::string, Tensor>> start;  ///< initial parameters, in the order of kfac.py
};

Problem problem_of(const std::string& name) {
  Dataset data;
  if (name != "conv") {
    Tensor y(Shape{12, 2}, f64);
    for (std::int64_t i = 0; i < 12; ++i) y.set(2 * i, static_cast<double>(i % 2)), y.set(2 * i + 1, i / 2 % 2);
    data.set("input", numbers({12, 3}, 7, 3));
    data.set("target", y);
    const std::map<std::string, LossFunction> losses{
        {"mlp", loss::binary_cross_entropy}, {"squares", loss::mse}, {"counts", loss::poisson}};
    return {mlp,
            losses.at(name),
            data,
            {{"hidden/weight", numbers({3, 4}, 5, 1)},
             {"hidden/bias", numbers({4}, 3, 9)},
             {"out/weight", numbers({4, 2}, 13, 2)},
             {"out/bias", numbers({2}, 1, 20)}}};
  }
  Tensor y(Shape{12}, i32);
  for (std::int64_t i = 0; i < 12; ++i) y.set(i, static_cast<double>((i * i + i) % 3));
  data.set("input", numbers({12, 5, 4, 2}, 7, 3));
  data.set("target", y);
  return {conv,
          loss::cross_entropy,
          data,
          {{"first/weight", numbers({3, 3, 2, 3}, 5, 1)},
           {"first/bias", numbers({3}, 3, 9)},
           {"second/weight", numbers({2, 2, 3, 2}, 7, 4)},
           {"gain", numbers({8}, 3, 2, 1)},
           {"out/weight", numbers({8, 3}, 13, 2)},
           {"out/bias", numbers({3}, 1, 20)}}};
}

/// Takes steps of an engine on batches of four rows in order.
class Walk {
 public:
  Walk(const std::string& name, const Optimizer& optimizer, int threads = 1, DType dtype = f64)
      : problem(problem_of(name)),
        engine(evaluation_of(problem.model, problem.loss), optimizer, threads),
        state(engine.init(problem.data, 1, dtype)) {
    for (const auto& [parameter, values] : problem.start) state.set_parameter(parameter, values.to(dtype));
  }

  void step(std::int64_t shard_size = 0) {
    const std::int64_t begin = state.step * 4 % 12;
    const std::int64_t chosen[] = {begin, begin + 1, begin + 2, begin + 3};
    const Progress progress{state.step, 1000, 3};
    (void)engine.turn(state, {problem.data, chosen}, {{&progress, 1}, shard_size, {}});
    ++state.step;
  }

  [[nodiscard]] std::vector<double> parameters() const {
    std::vector<double> all;
    for (const auto& [name, values] : problem.start) append(state.parameter(name), all);
    return all;
  }
  [[nodiscard]] std::vector<double> matrices(const std::string& kind) const {
    std::vector<double> all;
    for (const auto& [name, slot] : state.slots) {
      if (name == "kfac." + kind) append(slot, all);
    }
    return all;
  }

  Problem problem;
  Engine engine;
  State state;

 private:
  static void append(const Tensor& t, std::vector<double>& all) {
    for (std::int64_t i = 0; i < t.size(); ++i) all.push_back(t.at(i));
  }
};

/// The largest difference, relative to the largest element.
double distance(const std::vector<double>& ours, const nlohmann::json& theirs) {
  if (ours.size() != theirs.size()) return INFINITY;
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto wanted = theirs[i].get<double>();
    largest = std::max(largest, std::abs(wanted));
    error = std::max(error, std::abs(ours[i] - wanted));
  }
  return error / largest;
}

constexpr const char* factor_names[] = {"input_factor", "output_factor"};
constexpr const char* inverse_names[] = {"input_inverse", "output_inverse"};

void expect_case(const nlohmann::json& entry, const nlohmann::json& steps, DType dtype, std::int64_t shard_size) {
  SCOPED_TRACE(entry["model"].get<std::string>() + entry["options"].dump() + (dtype == f64 ? " f64" : " f32"));
  const double close = dtype == f64 ? 1e-12 : 1e-5;
  Walk walk(entry["model"], optimizer_named("kfac").make(testing::options_of(entry["options"])), 1, dtype);
  for (std::size_t k = 0; k < steps.size(); ++k) {
    while (walk.state.step < steps[k].get<std::int64_t>()) walk.step(shard_size);
    const double grown = k < 3 ? 1 : 20;  // rounding errors grow over many steps
    EXPECT_LE(distance(walk.parameters(), entry["x"][k]), grown * close) << "step " << steps[k];
    if (k > 0 && k + 1 < steps.size()) continue;
    const auto& matrices = entry["matrices"][k == 0 ? 0 : 1];
    for (const char* name : factor_names)
      EXPECT_LE(distance(walk.matrices(name), matrices[name]), grown * close) << name << " in step " << steps[k];
    for (const char* name : inverse_names)
      EXPECT_LE(distance(walk.matrices(name), matrices[name]), 10 * grown * close) << name << " in step " << steps[k];
  }
}

TEST(Kfac, PathsAndFactorsAreThoseOfNumPy) {
  const auto reference = testing::reference("kfac");
  ASSERT_EQ(reference["cases"].size(), 5U);
  for (const auto& entry : reference["cases"]) {
    for (const DType dtype : {f64, f32}) expect_case(entry, reference["steps"], dtype, 0);
    expect_case(entry, reference["steps"], f64, 3);  // shards of 3 rows and 1 row
  }
}

std::vector<FactoredLayer> layers_of(const ModelFunction& model, const Dataset& data) {
  const EvaluationFunction function = evaluation_of(model, loss::cross_entropy);
  const TracedObjective traced = trace_objective(function, columns_of(data), 2, Mode::train, f32);
  return factored_layers(traced, traced.result);
}

Dataset labelled(Shape row, std::int64_t count = 12) {
  row = [&] {
    Shape all{count};
    for (const std::int64_t size : row) all.push_back(size);
    return all;
  }();
  Dataset data;
  data.set("input", random_normal(row, 3));
  data.set("target", random_uniform({count}, 0, 3, 4, f64).to(i32));
  return data;
}

TEST(Factors, ALayerHasThemIfItsWeightIsUsedOnceInAProductWithRowsOfTheInput) {
  const ModelFunction model = [](Scope s, Var x) {  // (batch, 8, 6)
    x = relu(nn::conv1d(s / "conv", x, {.filters = 6, .kernel = 3}));
    x = nn::layer_norm(s / "norm", x);
    x = x + nn::dense(s / "each", x, 6, {.bias = false});  // applied at every position
    const Var weight = s.parameter("tied", {6, 6});
    x = matmul(tanh(matmul(x, weight)), weight, false, true);
    x = matmul(x, s.parameter("turned", {5, 6}), false, true);
    const Var twice = s.parameter("twice", {5});
    x = matmul(x, s.parameter("plain", {5, 5})) + twice;
    return nn::dense(s / "out", mean(x, 1) + twice, 3);
  };
  const std::vector<FactoredLayer> wanted = {{"conv/weight", "conv/bias", 19, 6},
                                             {"each/weight", "", 6, 6},
                                             {"plain", "", 5, 5},
                                             {"out/weight", "out/bias", 6, 3}};
  EXPECT_EQ(layers_of(model, labelled({8, 6})), wanted);
}

TEST(Factors, AWeightThatIsNotAppliedToTheBatchHasNone) {
  const ModelFunction model = [](Scope s, Var x) {
    const Var places = constant(random_normal({2, 4}, 9)), kernel = nn::dense(s / "kernel", places, 6);
    return matmul(nn::dense(s / "in", x, 4), reshape(kernel, {4, 3}));
  };
  EXPECT_EQ(layers_of(model, labelled({5})), (std::vector<FactoredLayer>{{"in/weight", "in/bias", 6, 4}}));
}

TEST(Factors, GroupedConvolutionsAndLargeLayersHaveNone) {
  const ModelFunction model = [](Scope s, Var x) {
    x = nn::conv2d(s / "depthwise", x, {.filters = 4, .kernel = 3, .padding = "valid", .groups = 4});
    x = nn::conv2d(s / "pointwise", x, {.filters = 5, .kernel = 1});
    return nn::dense(s / "out", flatten(x), 3);
  };
  const Dataset data = labelled({5, 5, 4});
  EXPECT_EQ(layers_of(model, data), (std::vector<FactoredLayer>{{"pointwise/weight", "pointwise/bias", 5, 5},
                                                                {"out/weight", "out/bias", 46, 3}}));
  Engine engine(evaluation_of(model, loss::cross_entropy), optim::kfac({.max_size = 44}), 1);
  const State state = engine.init(data, 1, f32);
  const auto kept = engine.factored(0, *state.layout);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].weight, "pointwise/weight");
  EXPECT_EQ(factors_text(evaluation_of(model, loss::cross_entropy), engine.optimizer(0), *state.layout, data),
            "kfac: a layer by factors, 100 numbers with their inverses; by Adam: depthwise/weight, out/weight, "
            "depthwise/bias, out/bias");
}

/// The batch is cut into shards as in a training step, also if a row has several labels.
TEST(Factors, AreSummedOverShards) {
  const auto rows_a_shard = [](const LossFunction& loss, const Tensor& target) {
    Dataset data;
    data.set("input", random_normal({8, 5, 4}, 3));
    data.set("target", target);
    const ModelFunction model = [](Scope s, Var x) { return nn::dense(s / "out", x, 3); };
    const EvaluationFunction function = evaluation_of(model, loss);
    const State state = Engine(function, optim::sgd({.lr = 1}), 1).init(data, 1, f32);
    Workers workers(1);
    Products drawn(with_drawn_labels(function, "kfac", ""), workers, {.mode = Mode::train, .shard_size = 2});
    Tensor gradient;
    (void)drawn.gradient(state, {data}, gradient);
    return std::pair(drawn.rows_a_shard(state, {data}), drawn.weight());
  };
  const Tensor labels = random_uniform({8, 5}, 0, 3, 4, f64).to(i32), answers = zeros({8, 5, 3});
  EXPECT_EQ(rows_a_shard(loss::cross_entropy, labels), std::pair(std::int64_t{2}, 40.0));
  EXPECT_EQ(rows_a_shard(loss::binary_cross_entropy, answers), std::pair(std::int64_t{2}, 120.0));
  EXPECT_EQ(rows_a_shard(loss::mse, answers), std::pair(std::int64_t{2}, 120.0));
  EXPECT_EQ(rows_a_shard(loss::kl_divergence, full({8, 5, 3}, 1.0 / 3)), std::pair(std::int64_t{2}, 40.0));
}

/// For a linear model and one row, the Kronecker product of the factors' means is exactly the Fisher matrix.
TEST(Factors, TheExpectationOfTheirProductIsTheGaussNewtonMatrix) {
  const Dataset data = labelled({3}, 1);
  const EvaluationFunction function = evaluation_of(nn::linear(3), loss::cross_entropy);
  State state = Engine(function, optim::sgd({.lr = 1}), 1).init(data, 1, f64);
  const TracedObjective traced = trace_objective(function, columns_of(data), 1, Mode::train, f64);
  const std::vector<FactoredLayer> layers = factored_layers(traced, traced.result);
  ASSERT_EQ(layers.size(), 1U);
  ASSERT_FALSE(layers[0].bias.empty());
  Workers workers(1);
  Products drawn(with_drawn_labels(function, "kfac", ""), workers, {.mode = Mode::train, .layers = layers});
  Products exact(function, workers);
  Tensor factors;
  std::vector<double> outputs(9);
  constexpr int draws = 4000;
  for (state.step = 0; state.step < draws; ++state.step) {
    (void)drawn.factors(state, {data}, factors);
    ASSERT_EQ(factors.size(), 16 + 9);
    for (std::size_t i = 0; i < 9; ++i) outputs[i] += factors.at(16 + static_cast<std::int64_t>(i)) / draws;
  }
  Tensor unit({12}, f64), column;
  for (std::int64_t k = 0; k < 12; ++k) {  // first the weight, (3, 3), then the bias
    for (std::int64_t i = 0; i < 12; ++i) unit.set(i, i == k);
    (void)exact.gauss_newton_times(state, {data}, unit, column);
    for (std::int64_t i = 0; i < 12; ++i) {
      const double mean = factors.at(i / 3 * 4 + k / 3) * outputs[static_cast<std::size_t>(i % 3 * 3 + k % 3)];
      EXPECT_NEAR(mean, column.at(i), 0.05) << i << ' ' << k;
    }
  }
}

Optimizer some_kfac() { return optim::kfac({.lr = 0.02, .damping = 0.05, .every = 2, .inverse_every = 3}); }

TEST(Kfac, TheBitsAreTheSameForAnyNumberOfThreads) {
  for (const char* model : {"conv", "squares", "counts"}) {
    Walk one(model, some_kfac(), 1, f32), three(model, some_kfac(), 3, f32);
    for (int i = 0; i < 8; ++i) one.step(1), three.step(1);
    EXPECT_TRUE(identical(one.state.parameters, three.state.parameters)) << model;
    EXPECT_EQ(one.matrices("input_factor"), three.matrices("input_factor")) << model;
  }
}

/// A model with random numbers (dropout) and running statistics (batch norm).
Var restless(Scope s, Var x) {
  const Var hidden = nn::dropout(s / "drop", nn::batch_norm(s / "norm", nn::dense(s / "hidden", x, 8)), 0.3);
  return nn::dense(s / "out", relu(hidden), 3);
}

/// The same rows with three counts as targets.
Dataset counted(std::int64_t count) {
  Dataset data = labelled({3}, count);
  data.set("target", random_uniform({count, 3}, 0, 9, 4, f64).to(i32).to(f32));
  return data;
}

TEST(Kfac, ARunResumesWithTheSameBitsFromTheMiddleOfAnInterval) {
  const auto expect_resumed = [](const LossFunction& loss, const Dataset& data, std::int64_t stop) {
    const testing::TemporaryFolder folder;
    const FitOptions whole{.epochs = 3, .batch_size = 8, .shard_size = 3};
    FitOptions first = whole, second = whole;
    first.stop_after = stop, first.checkpoints = folder / "checkpoints";
    second.checkpoints = folder / "checkpoints", second.resume = true;
    Trainer uncut(restless, loss, some_kfac()), begun(restless, loss, some_kfac()),
        resumed(restless, loss, some_kfac(), 2);
    (void)uncut.fit(data, whole);
    (void)begun.fit(data, first);
    (void)resumed.fit(data, second);
    EXPECT_TRUE(identical(uncut.state().parameters, resumed.state().parameters)) << loss.name() << ' ' << stop;
  };
  constexpr std::int64_t rows = 34;  // the last of five batches has two rows
  for (const std::int64_t stop : {4, 5, 6, 7}) expect_resumed(loss::cross_entropy, labelled({3}, rows), stop);
  for (const LossFunction& loss : {LossFunction(loss::mse), LossFunction(loss::poisson)})
    expect_resumed(loss, counted(rows), 5);
}

TEST(Kfac, FrozenParametersDoNotChangeAndAFrozenBiasIsNotInTheFactors) {
  Optimizer optimizer = some_kfac();
  optimizer.groups = {{.pattern = "first/*", .frozen = true}, {.pattern = "out/bias", .frozen = true}};
  Walk walk("conv", optimizer);
  const Tensor first = walk.state.parameter("first/weight"), bias = walk.state.parameter("out/bias"),
               out = walk.state.parameter("out/weight");
  for (int i = 0; i < 4; ++i) walk.step();
  EXPECT_TRUE(identical(walk.state.parameter("first/weight"), first));
  EXPECT_TRUE(identical(walk.state.parameter("out/bias"), bias));
  EXPECT_FALSE(identical(walk.state.parameter("out/weight"), out));
  EXPECT_EQ(walk.matrices("input_factor").size(), 12U * 12U + 8U * 8U);
}

/// The square of an input overflows f32, but its gradient does not.
TEST(Kfac, FactorsThatAreNotFiniteEndTheRunByName) {
  Dataset data = labelled({3});
  Tensor large = data["input"];
  large.set(0, 1e20);
  data.set("input", large);
  try {
    (void)Trainer(nn::linear(3), loss::cross_entropy, some_kfac()).fit(data, {.epochs = 1});
    ADD_FAILURE() << "not refused";
  } catch (const NumericError& error) {
    EXPECT_NE(std::string(error.what()).find("[kfac] step 1: the factors"), std::string::npos) << error.what();
  }
}

TEST(Kfac, ItsSlotsAreInThePlan) {
  const Problem problem = problem_of("mlp");
  const EvaluationFunction function = evaluation_of(problem.model, problem.loss);
  const StepNeeds needs =
      needs_of_step(function, some_kfac(), problem.data, {.batch = 4, .rows_a_step = 4}, 0, Memory::fast);
  constexpr std::int64_t inputs = 4 * 4 + 5 * 5, outputs = 4 * 4 + 2 * 2, momentum = 26;
  EXPECT_EQ(needs.slot_bytes, 4 * (2 * (inputs + outputs) + momentum));
}

void expect_refused(const std::function<void()>& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "not refused: " << part;
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Kfac, UnsupportedCasesAreRefusedWithTheReason) {
  const auto fit = [](const ModelFunction& model, const LossFunction& loss, Dataset data) {
    (void)Trainer(model, loss, some_kfac()).fit(data, {.epochs = 1});
  };
  expect_refused(
      [&] { fit(mlp, loss::huber, problem_of("mlp").data); },
      "[kfac] labels are drawn from what the model says, and huber does not say it. Wanted: a model with one "
      "of binary_cross_entropy, cross_entropy, gaussian, kl_divergence, log_cosh, mae, mse, "
      "pairwise_ranking, poisson, quantile. Hint: shampoo takes any loss of a model");
  const LossFunction weighted = loss::make_cross_entropy({.class_weights = {1, 2, 3}});
  expect_refused([&] { fit(nn::linear(3), weighted, labelled({3})); }, "class_weights");
  Dataset with_weights = labelled({3});
  with_weights.set("weight", full({12}, 1));
  expect_refused([&] { fit(nn::linear(3), loss::cross_entropy, with_weights); }, "rows with weights");
  const ModelFunction no_layer = [](Scope s, Var x) { return x * s.parameter("gain", {3}); };
  expect_refused([&] { fit(no_layer, loss::cross_entropy, labelled({3})); }, "no dense layer or convolution");
  expect_refused([] { (void)train_step(objective_of(mlp, loss::cross_entropy), some_kfac()); },
                 "an objective of one's own");
  const Objective objective = objective_of(mlp, loss::binary_cross_entropy);
  expect_refused(
      [&] {
        std::vector<ObjectiveRow> two{{"a", objective, some_kfac(), {.trains = "hidden/*"}},
                                      {"b", objective, optim::adam(), {.trains = "out/*"}}};
        const Trainer trainer(two, {.simultaneous = true});
      },
      "an objective of one's own");
  Optimizer grouped = some_kfac();
  grouped.groups = {{.pattern = "out/*", .chain = optim::adam().chain}};
  expect_refused([&] { (void)Trainer(mlp, loss::binary_cross_entropy, grouped); }, "a method of their own");
}

}  // namespace
}  // namespace thalweg
