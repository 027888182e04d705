// Every layer against PyTorch's values, gradients and running statistics: tests/reference/layers.py.

#include "thalweg/layers.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "evaluate.hpp"
#include "nn/trace.hpp"
#include "reference_file.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg {
namespace {

using nlohmann::json;

Tensor tensor_of(const json& value, DType dtype) {
  return Tensor::from(value["values"].get<std::vector<double>>(),
                      Shape(value["shape"].get<std::vector<std::int64_t>>()))
      .to(dtype);
}

/// A layer that is traced alone: its parameters and statistics are inputs.
struct Layer {
  Graph graph;
  TraceContext context;
  Var x, y;
  std::vector<Bound> inputs, outputs;
  std::vector<Tensor> values;

  Layer(const ModelFunction& layer, const Tensor& input, Mode mode, DType dtype) : context{graph, mode, dtype} {
    context.samples = input.shape()[0];
    x = graph.input("batch:input", input.shape(), input.dtype());
    y = layer(Scope(context, ""), x);
    give(x, input);
  }
  void give(Var var, const Tensor& value) {
    inputs.push_back({var, {first_user_base + static_cast<int>(values.size()), 0}});
    values.push_back(value);
  }
  std::vector<Tensor> run(const std::vector<Var>& wanted) {
    for (const Var& var : wanted)
      outputs.push_back({var, {first_user_base + static_cast<int>(values.size() + outputs.size()), 0}});
    return run_graph(graph, inputs, outputs, values);
  }
};

void expect_near(const Tensor& got, const json& wanted, DType dtype, const std::string& what) {
  const Tensor expected = tensor_of(wanted, f64);
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  EXPECT_LE(distance(got, expected), dtype == f64 ? 1e-10 : 1e-5) << what;
}

void check(const json& c, DType dtype) {
  const Mode mode = c["mode"] == "train" ? Mode::train : Mode::evaluate;
  const bool integers = c["integers"].get<bool>();
  const ModelFunction function =
      nn::layer_named(c["kind"].get<std::string>()).make(testing::options_of(c["options"])).first;
  Layer layer(function, tensor_of(c["input"], integers ? i32 : dtype), mode, dtype);
  std::vector<Var> by;
  std::vector<std::string> names;
  if (!integers) by.push_back(layer.x), names.emplace_back("x");
  for (const TracedParameter& p : layer.context.parameters) {
    layer.give(p.var, tensor_of(c[p.statistic ? "statistics" : "parameters"].at(p.name), dtype));
    if (!p.statistic) by.push_back(p.var), names.push_back(p.name);
  }
  ASSERT_EQ(by.size(), c["gradients"].size());
  const Var weights = layer.graph.constant(tensor_of(c["cotangent"], dtype));
  std::vector<Var> wanted = gradients(sum(layer.y * weights), by);
  wanted.push_back(layer.y);
  for (const Observation& o : layer.context.observations) wanted.push_back(o.value);
  const std::vector<Tensor> got = layer.run(wanted);
  for (std::size_t i = 0; i < by.size(); ++i) expect_near(got[i], c["gradients"].at(names[i]), dtype, names[i]);
  expect_near(got[by.size()], c["value"], dtype, "value");
  for (std::size_t i = 0; i < layer.context.observations.size(); ++i) {
    const Observation& o = layer.context.observations[i];
    Tensor moved = tensor_of(c["statistics"].at(o.statistic), f64);
    for (std::int64_t k = 0; k < moved.size(); ++k)
      moved.set(k, (1 - o.momentum) * moved.at(k) + o.momentum * got[by.size() + 1 + i].at(k));
    expect_near(moved, c["statistics_after"].at(o.statistic), dtype, o.statistic);
  }
  EXPECT_EQ(layer.context.observations.empty(), c["statistics"] == c["statistics_after"]);
}

TEST(Layers, MatchPyTorchInValueGradientsAndStatistics) {
  const json cases = testing::reference("layers");
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + ": " + cases[i]["kind"].get<std::string>() + " " +
                 cases[i]["options"].dump() + ", " + cases[i]["mode"].get<std::string>());
    for (DType dtype : {f64, f32}) check(cases[i], dtype);
  }
}

TEST(Layers, EveryRowHasACaseAndItsTexts) {
  std::set<std::string> seen;
  const json cases = testing::reference("layers");
  for (const json& c : cases) seen.insert(c["kind"]);
  for (const nn::LayerRow& row : nn::layers()) {
    EXPECT_TRUE(seen.contains(std::string(row.name))) << row.name;
    EXPECT_FALSE(row.summary.empty() || row.formula.empty()) << row.name;
    for (const OptionDoc& option : row.options) EXPECT_FALSE(option.doc.empty()) << row.name << "." << option.name;
  }
}

TEST(Layers, InvalidOptionsAreRefused) {
  const auto refused = [](const std::string& kind, const OptionMap& options, const std::string& part) {
    try {
      (void)nn::layer_named(kind).make(options);
      ADD_FAILURE() << kind << " was made";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused("conv2d", {{"kernel", {"large"}}}, "kernel = \"large\"");
  refused("conv2d", {{"padding", {"some"}}}, "padding = \"some\". Wanted: \"same\", \"valid\", a number");
  refused("conv2d", {{"filters", {std::int64_t{0}}}}, "filters = 0");
  refused("dropout", {{"rate", {1.0}}}, "rate = 1");
  refused("residual", {{"layers", {OptionList{{OptionMap{}}}}}}, "has no kind");
  refused("residual", {{"layers", {OptionList{{OptionMap{{"kind", {"conv3"}}}}}}}}, "conv3");
}

/// A layer consists of many ops, but errors and nodes name the user's line only.
TEST(Layers, ErrorsAndNodesNameTheLineOfTheLayer) {
  const int line = __LINE__ + 1;
  const ModelFunction layers = [](Scope s, Var x) { return nn::lstm(s / "l", nn::batch_norm(s / "b", x), {}).output; };
  const Layer both(layers, ones({2, 3, 4}), Mode::train, f32);
  for (int i = 1; i < both.graph.size(); ++i) {
    const Source source = both.graph.node(i).source;
    if (source.line == 0) continue;
    EXPECT_EQ(source.line, line) << both.graph.node(i).op->name << ' ' << source.file;
  }
  try {
    const Layer wrong([](Scope s, Var x) { return nn::embedding(s, x, {}); }, ones({2}), Mode::train, f32);
    ADD_FAILURE() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("layers_test.cpp"), std::string::npos) << error.what();
  }
}

TEST(Layers, OptionsInCppAreCheckedLikeThoseOfAConfiguration) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  using Call = ModelFunction;
  const Tensor rows = ones({4, 6}), images = ones({2, 6, 6, 4}), times = ones({2, 3, 8});
  const std::pair<Call, Tensor> wrong[] = {
      {[](Scope s, Var x) { return nn::batch_norm(s, x, {.eps = -1}); }, rows},
      {[](Scope s, Var x) { return nn::batch_norm(s, x, {.momentum = nan}); }, rows},
      {[](Scope s, Var x) { return nn::layer_norm(s, x, {.eps = nan}); }, rows},
      {[](Scope s, Var x) { return nn::group_norm(s, x, {.groups = 2, .eps = -1}); }, rows},
      {[](Scope s, Var x) { return nn::instance_norm(s, x, {.eps = -1}); }, images},
      {[](Scope s, Var x) { return nn::rms_norm(s, x, {.eps = -1}); }, rows},
      {[](Scope s, Var x) { return nn::feed_forward(s, x, {.hidden = -1}); }, times},
      {[](Scope s, Var x) { return nn::conv2d(s, x, {.padding = -1}); }, images},
      {[](Scope s, Var x) { return nn::conv2d(s, x, {.padding = std::int64_t{1} << 62}); }, images},
      {[](Scope s, Var x) { return nn::conv2d(s, x, {.dilation = std::int64_t{1} << 62}); }, images},
      {[](Scope s, Var x) { return nn::conv_transpose2d(s, x, {.output_padding = -1}); }, images},
  };
  try {  // the kernel is wrong, so the error must not be about the "same" padding that follows from it
    const Layer none([](Scope s, Var x) { return nn::conv2d(s, x, {.kernel = 0}); }, images, Mode::train, f32);
    ADD_FAILURE() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("a window of 0"), std::string::npos) << error.what();
  }
  for (const auto& [layer, input] : wrong) EXPECT_THROW(Layer(layer, input, Mode::train, f32), UsageError);
  EXPECT_THROW((void)nn::mlp(1, {.hidden = {0}}), UsageError);
  EXPECT_THROW((void)nn::mlp(1, {.norm = "foo"}), UsageError);
  EXPECT_THROW((void)init::normal(nan).make({2}, f32, 1, "x"), UsageError);
}

TEST(Layers, ErrorsNameTheLayerAndTheShapes) {
  Graph graph;
  TraceContext context{graph};
  const Scope s(context, "here");
  const auto message = [&](const auto& call) -> std::string {
    try {
      call();
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  const Var image = graph.input("image", {2, 5, 5, 6}, f32), table = graph.input("table", {2, 6}, f32);
  EXPECT_NE(message([&] { (void)nn::conv2d(s, table, {.filters = 3}); }).find("[conv2d]"), std::string::npos);
  EXPECT_NE(message([&] { (void)nn::conv2d(s, image, {.filters = 3, .groups = 4}); }).find("4 groups"),
            std::string::npos);
  EXPECT_NE(message([&] { (void)nn::group_norm(s, image, {.groups = 4}); }).find("'here'"), std::string::npos);
  EXPECT_NE(message([&] { (void)nn::dropout(s, image, 1); }).find("rate = 1"), std::string::npos);
  EXPECT_NE(message([&] { (void)max_pool2d(image, {.window = 6}); }).find("a window of 6 on 5"), std::string::npos);
}

class Dropout : public ::testing::Test {
 protected:
  static constexpr std::int64_t rows = 64, width = 300;
  /// Dropout with a rate of 0.3 on a tensor of ones, and its gradient.
  static std::vector<Tensor> dropped(double step) {
    Layer layer([](Scope s, Var x) { return nn::dropout(s, x, 0.3); }, ones({rows, width}), Mode::train, f32);
    Tensor places({rows}, i32);
    for (std::int64_t i = 0; i < rows; ++i) places.set(i, static_cast<double>(i));
    layer.give(layer.context.random->seed, full({}, 3, f64));
    layer.give(layer.context.random->step, full({}, step, f64));
    layer.give(layer.context.random->places, places);
    return layer.run({layer.y, gradients(sum(layer.y), {layer.x})[0]});
  }
};

TEST_F(Dropout, IsZeroAtTheRateAndKeepsTheMean) {
  const Tensor y = dropped(0)[0];
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < y.size(); ++i) {
    zeros += y.at(i) == 0;
    EXPECT_FLOAT_EQ(static_cast<float>(y.at(i)), y.at(i) == 0 ? 0 : 1 / 0.7F);
  }
  const double share = static_cast<double>(zeros) / static_cast<double>(y.size());
  EXPECT_NEAR(share, 0.3, 4 * std::sqrt(0.3 * 0.7 / static_cast<double>(y.size())));  // four standard deviations
}

TEST_F(Dropout, PassesTheGradientWhereItPassesTheValue) {
  const auto got = dropped(0);
  EXPECT_TRUE(identical(got[0], got[1]));  // for ones, both are the mask / (1 - rate)
}

TEST_F(Dropout, DiffersInEveryStep) { EXPECT_FALSE(identical(dropped(0)[0], dropped(1)[0])); }

}  // namespace
}  // namespace thalweg
