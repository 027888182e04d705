// Layers of sequences against PyTorch: values, and gradients by inputs and parameters.

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "evaluate.hpp"
#include "gradient_bits.hpp"
#include "nn/trace.hpp"
#include "reference_file.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

using nlohmann::json;

Tensor tensor_of(const json& stored) {
  const auto sizes = stored.at("shape").get<std::vector<std::int64_t>>();
  return Tensor::from(stored.at("values").get<std::vector<float>>(), Shape(std::span<const std::int64_t>(sizes)));
}

Var layer_of(Scope s, const json& stored, const std::map<std::string, Var>& x) {
  const json& o = stored.at("options");
  const auto layer = stored.at("layer").get<std::string>();
  if (layer == "multi_head_attention") {
    const auto lengths = o.at("lengths").get<std::vector<std::int32_t>>();
    const Var all = x.at("x");
    const Var seen = lengths.empty() ? Var{} : all.graph().constant(Tensor::from(lengths, {all.dim(0)}));
    return nn::multi_head_attention(s, all, {.heads = o.at("heads"), .causal = o.at("causal")}, seen);
  }
  if (layer == "multi_head_cross_attention") {
    return nn::multi_head_cross_attention(s, x.at("x"), x.at("memory"), {.heads = o.at("heads")});
  }
  if (layer == "feed_forward") {
    return nn::feed_forward(s, x.at("x"), {.hidden = o.at("hidden"), .of = o.at("kind").get<std::string>()});
  }
  if (layer == "lstm") return nn::lstm(s, x.at("x"), {.units = o.at("units")}, {x.at("h"), x.at("c")}).output;
  if (layer == "gru") return nn::gru(s, x.at("x"), {.units = o.at("units")}, {x.at("h")}).output;
  throw std::runtime_error("no layer " + layer);
}

void expect_close(const Tensor& got, const json& wanted, const std::string& what) {
  const Tensor reference = tensor_of(wanted);
  ASSERT_EQ(got.shape(), reference.shape()) << what;
  EXPECT_LE(distance(got, reference), 1e-5) << what;
}

TEST(Sequence, LayersGiveTheValuesAndGradientsOfPyTorch) {
  const json all = testing::reference("sequence").at("cases");
  for (const json& stored : all) {
    SCOPED_TRACE(stored.at("layer").get<std::string>() + " " + stored.at("options").dump());
    Graph graph;
    TraceContext context{graph};
    std::vector<Bound> inputs;
    std::vector<Tensor> values;
    std::map<std::string, Var> x;
    std::vector<std::string> names;
    std::vector<Var> leaves;
    const auto bind = [&](Var var, const std::string& name, Tensor value) {
      inputs.push_back({var, {first_user_base + static_cast<int>(values.size()), 0}});
      values.push_back(std::move(value));
      names.push_back(name);
      leaves.push_back(var);
    };
    for (const auto& [name, value] : stored.at("inputs").items()) {
      const Tensor given = tensor_of(value);
      x[name] = graph.input("batch:" + name, given.shape(), f32);
      bind(x[name], name, given);
    }
    const std::size_t given = values.size();
    const Var y = layer_of(Scope(context, ""), stored, x);
    ASSERT_EQ(context.parameters.size(), stored.at("parameters").size());
    for (const TracedParameter& p : context.parameters)
      bind(p.var, p.name, tensor_of(stored.at("parameters").at(p.name)));
    const std::vector<Var> gradient = gradients(sum(y * constant(tensor_of(stored.at("weights")))), leaves);
    std::vector<Var> wanted{y};
    wanted.insert(wanted.end(), gradient.begin(), gradient.end());
    std::vector<Bound> outputs;
    for (const Var& v : wanted) {
      outputs.push_back({v, {first_user_base + static_cast<int>(values.size() + outputs.size()), 0}});
    }
    const std::vector<Tensor> results = run_graph(graph, inputs, outputs, values, {}, 2);
    expect_close(results[0], stored.at("output"), "output");
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      expect_close(results[i + 1], stored.at(i < given ? "input_gradients" : "gradients").at(names[i]), names[i]);
    }
  }
}

Dataset windows(const std::vector<std::vector<std::int32_t>>& rows) {
  const auto time = static_cast<std::int64_t>(rows[0].size()) - 1, count = static_cast<std::int64_t>(rows.size());
  std::vector<std::int32_t> input, target;
  for (const auto& row : rows) {
    input.insert(input.end(), row.begin(), row.end() - 1);
    target.insert(target.end(), row.begin() + 1, row.end());
  }
  Dataset data;
  data.set("input", Tensor::from(input, {count, time}));
  data.set("target", Tensor::from(target, {count, time}));
  return data;
}

nn::GptOptions gpt_options(const json& o) {
  return {.layers = o.at("layers"),
          .width = o.at("width"),
          .heads = o.at("heads"),
          .context = o.at("context"),
          .feed_forward = o.at("feed_forward"),
          .hidden = o.at("hidden"),
          .positions = o.at("positions"),
          .tied = o.at("tied")};
}

TEST(Gpt, StartsAtTheLossOfPyTorchAndFollowsItsCurve) {
  const json models = testing::reference("sequence").at("gpt");
  for (const json& stored : models) {
    SCOPED_TRACE(stored.at("options").dump());
    const auto model = nn::gpt(stored.at("vocabulary"), gpt_options(stored.at("options")));
    TrainStep step =
        train_step(objective_of(model, loss::cross_entropy), optim::adamw({.lr = 3e-3, .weight_decay = 0.1}), 2);
    const Dataset batch = windows(stored.at("text").get<std::vector<std::vector<std::int32_t>>>());
    State state = step.init(batch, 1);
    ASSERT_EQ(state.layout->entries.size(), stored.at("parameters").size());
    for (const auto& [name, value] : stored.at("parameters").items()) state.set_parameter(name, tensor_of(value));
    const auto losses = stored.at("losses").get<std::vector<double>>();
    for (std::size_t k = 0; k < losses.size(); ++k) {
      EXPECT_NEAR(step(state, batch).loss, losses[k], k == 0 ? 1e-5 : 1e-3) << "step " << k;
    }
  }
}

/// A synthetic text in which each token is a function of the two before it, with some noise.
Dataset made_up_text(std::int64_t rows, std::int64_t time) {
  std::vector<std::vector<std::int32_t>> text;
  const Tensor noise = random_uniform({rows, time + 1}, 0, 1, 3, f64);
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<std::int32_t> line = {static_cast<std::int32_t>(row % 7), static_cast<std::int32_t>(row % 5)};
    while (static_cast<std::int64_t>(line.size()) <= time) {
      const std::size_t n = line.size();
      const auto at = row * (time + 1) + static_cast<std::int64_t>(n);
      line.push_back(noise.at(at) < 0.1 ? static_cast<std::int32_t>(90 * noise.at(at))
                                        : (line[n - 1] + 2 * line[n - 2] + 1) % 9);
    }
    text.push_back(std::move(line));
  }
  return windows(text);
}

std::vector<std::pair<std::string, ModelFunction>> models_of_text() {
  return {{"gpt", nn::gpt(9, {.layers = 2, .width = 16, .heads = 2, .context = 20, .dropout = 0.1})},
          {"gpt with rotary positions and swiglu",
           nn::gpt(9, {.layers = 1, .width = 16, .heads = 2, .feed_forward = "swiglu", .positions = "rotary"})},
          {"lstm", nn::lstm_model(9, {.layers = 2, .width = 16, .truncate = 8, .dropout = 0.1})}};
}

Trainer trainer_of(const ModelFunction& model, int threads) {
  return Trainer(model, loss::cross_entropy, optim::adamw({.lr = 1e-2, .clip_norm = 1}), threads);
}

TEST(Sequence, ModelsHaveTheSameBitsForAnyNumberOfThreads) {
  const Dataset data = made_up_text(30, 20);
  for (const auto& [name, model] : models_of_text()) {
    Tensor wanted;
    for (const int threads : {1, 2, 3, 4}) {
      Trainer trainer = trainer_of(model, threads);
      (void)trainer.fit(data, {.epochs = 2, .batch_size = 8, .shard_size = 3});
      if (threads == 1) wanted = trainer.state().parameters;
      EXPECT_TRUE(identical(trainer.state().parameters, wanted)) << name << ", " << threads << " threads";
    }
  }
}

TEST(Sequence, ModelsHaveTheSameBitsForAnyPassesOfThePlanner) {
  for (const auto& [name, model] : models_of_text()) {
    SCOPED_TRACE(name);
    testing::expect_the_same_bits_however_planned(model, loss::cross_entropy, made_up_text(4, 20));
  }
}

TEST(Sequence, ModelsResumeWithTheSameBits) {
  const Dataset data = made_up_text(30, 20);
  for (const auto& [name, model] : models_of_text()) {
    const auto folder = std::filesystem::temp_directory_path() / ("thalweg-sequence-" + std::to_string(::getpid()));
    Trainer whole = trainer_of(model, 2), halted = trainer_of(model, 2), resumed = trainer_of(model, 1);
    FitOptions options{.epochs = 3, .batch_size = 8, .checkpoint_every = 1};
    (void)whole.fit(data, options);
    options.checkpoints = folder;
    options.stop_after = 6;  // in the middle of the second epoch
    (void)halted.fit(data, options);
    options.stop_after = 0;
    options.resume = true;
    (void)resumed.fit(data, options);
    EXPECT_TRUE(identical(resumed.state().parameters, whole.state().parameters)) << name;
    std::filesystem::remove_all(folder);
  }
}

TEST(Sequence, ModelsLearnARule) {
  const Dataset data = made_up_text(200, 20), other = made_up_text(240, 20).slice(200, 240);
  for (const auto& [name, model] : models_of_text()) {
    Trainer trainer = trainer_of(model, 2);
    (void)trainer.fit(data, {.epochs = 25, .batch_size = 20});
    const Evaluation result = trainer.evaluate(other);
    EXPECT_LT(result["loss"], 1.7) << name;  // the entropy is ln 9 = 2.2 if only one previous token is known
    EXPECT_NEAR(result["perplexity"], std::exp(result["loss"]), 1e-9) << name;
  }
}

TEST(Sequence, ErrorsNameWhatDoesNotFit) {
  const auto message = [](const ModelFunction& model, const Dataset& data) {
    try {
      (void)trainer_of(model, 1).fit(data, {.epochs = 1});
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  Dataset floats;
  floats.set("input", random_normal({2, 3}, 1));
  floats.set("target", Tensor({2, 3}, i32));
  EXPECT_NE(message(nn::gpt(9), floats).find("[gpt] an input of f32 (2, 3). Wanted: tokens, i32"), std::string::npos);
  EXPECT_THROW((void)nn::gpt(9, {.heads = 0}), UsageError);
  EXPECT_THROW((void)nn::gpt(9, {.positions = "foo"}), UsageError);
  EXPECT_THROW((void)nn::lstm_model(9, {.layers = -1}), UsageError);
  EXPECT_NE(message(nn::gpt(9, {.context = 8}), made_up_text(2, 9)).find("at most context = 8"), std::string::npos);
  EXPECT_THROW((void)nn::gpt(9, {.width = 10, .heads = 3}), UsageError);
}

}  // namespace
}  // namespace thalweg
