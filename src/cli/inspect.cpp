// thalweg inspect: what a model is made of, and what a step of it costs.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "train/model_parts.hpp"
#include "train/objective.hpp"

namespace thalweg::cli {

namespace {

/// A model of one row, traced: its parameters, and the multiplications of its matrix products.
struct Anatomy {
  std::vector<std::pair<std::string, Shape>> parameters;
  std::int64_t count = 0;
  std::int64_t flops = 0;  // forward, a row
  std::string input, output;
};

std::int64_t product_flops(const Graph& graph) {
  std::int64_t flops = 0;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.node(i);
    if (node.op->name != "matmul") continue;
    const Shape& left = graph.node(node.inputs[0]).signature.shape;
    const bool transposed = !node.attributes.ints.empty() && node.attributes.ints[0] != 0;
    flops += 2 * node.signature.shape.size() * left[transposed ? -2 : -1];
  }
  return flops;
}

Anatomy anatomy_of(const Recipe& recipe, const Registry& registry) {
  const TracedObjective traced = trace_objective(evaluation_of(recipe.make_model(registry), recipe.make_loss(registry)),
                                                 {{"input", recipe.input()}}, 1, Mode::evaluate, f32);
  Anatomy anatomy;
  for (const TracedParameter& parameter : traced.parameters) {
    anatomy.parameters.emplace_back(parameter.name, parameter.var.shape());
    anatomy.count += parameter.var.size();
  }
  anatomy.flops = product_flops(*traced.graph);
  anatomy.input = fmt::format("{} {}", recipe.input().dtype, recipe.input().shape);
  anatomy.output = traced.result.prediction.shape().str();
  return anatomy;
}

void print_anatomy(const Recipe& recipe, const Anatomy& anatomy) {
  emit("{:<12}{} {}\n", "model", recipe.model.kind, OptionValue{recipe.model.options}.str());
  emit("{:<12}{}\n{:<12}{} a row\n\n", "loss", recipe.loss.kind, "input", anatomy.input);
  for (const auto& [name, shape] : anatomy.parameters) {
    emit("{:<28}{:<16}{:>12}\n", name, shape.str(), with_commas(shape.size()));
  }
  emit("{:<44}{:>12}\n\n", "parameters", with_commas(anatomy.count));
  emit("{:<12}{} for the parameters\n", "memory", bytes_text(anatomy.count * 4));
  emit("{:<12}{} FLOPs a row to predict, about {} to train\n", "cost", with_commas(anatomy.flops),
       with_commas(3 * anatomy.flops));
}

void print_json(const Recipe& recipe, const Anatomy& anatomy) {
  nlohmann::ordered_json result{{"model", recipe.model.kind},
                                {"loss", recipe.loss.kind},
                                {"input", anatomy.input},
                                {"parameters", anatomy.count},
                                {"flops", anatomy.flops}};
  for (const auto& [name, shape] : anatomy.parameters) {
    result["layers"].push_back({{"name", name}, {"shape", std::vector(shape.begin(), shape.end())}});
  }
  emit("{}\n", result.dump());
}

void inspect_run(const std::string& path, const Context& context) {
  const Model model = Model::load(path, context.registry);
  const Recipe& recipe = model.parts().recipe;
  const Anatomy anatomy = anatomy_of(recipe, context.registry);
  if (context.json) return print_json(recipe, anatomy);
  print_anatomy(recipe, anatomy);
  emit("{:<12}{} for a block of {} rows\n", "arena",
       bytes_text(static_cast<std::int64_t>(model.parts().program->arena_bytes())), Model::Parts::block_rows);
  if (!model.classes().empty()) emit("{:<12}{}\n", "classes", fmt::join(model.classes(), ", "));
  if (!model.input_names().empty()) emit("{:<12}{}\n", "features", fmt::join(model.input_names(), ", "));
}

void inspect_config(const ConfigArguments& arguments, const Context& context) {
  const LoadedConfig loaded = load(read_arguments(arguments, context.registry), context.registry);
  Session session =
      make_session(loaded.config, loaded.source.facts(), loaded.source.parts(loaded.config.seed), context.registry);
  const Anatomy anatomy = anatomy_of(session.recipe, context.registry);
  if (context.json) return print_json(session.recipe, anatomy);
  print_anatomy(session.recipe, anatomy);
  const std::int64_t rows = std::min(session.parts.train.rows(), loaded.config.train.batch_size);
  emit("\nA step of {} rows:\n{}", rows, session.trainer.explain(session.parts.train.slice(0, rows)));
}

int run(const ConfigArguments& arguments, const Context& context) {
  const std::filesystem::path path(arguments.source);
  const bool model = path.extension() == ".safetensors" || std::filesystem::exists(path / "model.safetensors");
  if (model) {
    inspect_run(arguments.source, context);
  } else {
    inspect_config(arguments, context);
  }
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ConfigArguments>();
  CLI::App* command = app.add_subcommand("inspect", "Layers, shapes, parameters, memory and the cost of a step");
  command->footer(
      "Examples:\n  thalweg inspect runs/fashion\n  thalweg inspect fashion.toml --set model.hidden=[1024]");
  add_config_arguments(*command, *arguments);
  add_output_flags(*command, context);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace thalweg::cli
