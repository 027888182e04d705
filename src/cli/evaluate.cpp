// thalweg evaluate

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "run/model_parts.hpp"
#include "train/evaluation.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

struct EvaluateArguments {
  std::string run, data, images, labels;
};

struct Measured {
  Dataset data;
  std::string name;
};

/// What a run keeps for this: its test data, or the rows that it held out.
Measured own_data(const EvaluateArguments& arguments, const Recipe& recipe, std::vector<std::string>& warnings) {
  const fs::path config = fs::path(arguments.run) / "config.toml";
  if (!fs::exists(config)) {
    fail<UsageError>("[evaluate] {} is no run folder, so the data is not known. Hint: --data FILE.", arguments.run);
  }
  const ConfigTree tree = read_toml(config);
  const DataOptions options = read_data_options(tree, arguments.run);
  if (const auto* path = options.test.get_if<std::string>(); !path || !path->empty()) {
    return {encode_place(recipe.preprocessing, options.test, options, warnings), "test"};
  }
  const auto* seed = tree.values.at("seed").get_if<std::int64_t>();
  Parts parts = DataSource(options).parts(seed ? static_cast<std::uint64_t>(*seed) : 1);
  if (!parts.validation) {
    fail<UsageError>("[evaluate] {} has no test data and held nothing out. Hint: --data FILE.", arguments.run);
  }
  return {std::move(*parts.validation), "validation"};
}

/// How the run read its tables, as far as it is known.
DataOptions options_of(const EvaluateArguments& arguments) {
  const fs::path config = fs::path(arguments.run) / "config.toml";
  return fs::exists(config) ? read_data_options(read_toml(config), arguments.run) : DataOptions{};
}

Measured given_data(const EvaluateArguments& arguments, const Recipe& recipe, std::vector<std::string>& warnings) {
  if (!recipe.preprocessing.tensor()) {
    if (arguments.data.empty()) {
      fail<UsageError>("[evaluate] this is a model of {}. Hint: --data FILE.",
                       recipe.preprocessing.table() ? "tables" : "texts");
    }
    return {encode_place(recipe.preprocessing, {arguments.data}, options_of(arguments), warnings), arguments.data};
  }
  if (arguments.images.empty() || arguments.labels.empty()) {
    fail<UsageError>("[evaluate] this is a model of images. Hint: --images FILE --labels FILE.");
  }
  const OptionValue place{OptionMap{{"images", {arguments.images}}, {"labels", {arguments.labels}}}};
  return {encode_place(recipe.preprocessing, place, {}, warnings), arguments.images};
}

int run(const EvaluateArguments& arguments, const Context& context) {
  const Model model = Model::load(arguments.run, context.registry);
  const Recipe& recipe = model.parts().recipe;
  const bool own = arguments.data.empty() && arguments.images.empty() && arguments.labels.empty();
  std::vector<std::string> warnings;
  const Measured measured = own ? own_data(arguments, recipe, warnings) : given_data(arguments, recipe, warnings);
  for (const std::string& warning : warnings) {
    if (!context.quiet) say("warning: {}\n", warning);
  }
  const Evaluation evaluation = model.evaluate(measured.data);
  if (!context.json) {
    print_metrics(measured.name, evaluation.metrics, metrics_note(evaluation.rows, recipe));
    const bool classes = !recipe.preprocessing.text() && recipe.preprocessing.task() != data::Task::regression;
    if (classes) {
      const Tensor labels = measured.data["target"].reshape({measured.data.rows()}).to(i32);
      print_confusion(confusion_of(evaluation.predictions, labels), class_names(recipe));
    }
    return 0;
  }
  nlohmann::ordered_json result{{"data", measured.name}, {"rows", evaluation.rows}};
  for (const auto& [name, value] : evaluation.metrics) result[name] = value;
  emit("{}\n", result.dump());
  return 0;
}

constexpr const char* examples = R"(Examples:
  thalweg evaluate runs/houses                     on the run's own test data, or the rows it held out
  thalweg evaluate runs/houses --data new.csv      columns are matched by name
  thalweg evaluate runs/fashion --images i.gz --labels l.gz)";

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<EvaluateArguments>();
  CLI::App* command = app.add_subcommand("evaluate", "Measure a trained model on data");
  command->footer(examples);
  command->add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command->add_option("--data", arguments->data, "Table or text to measure on");
  command->add_option("--images", arguments->images, "Images to measure on (IDX)");
  command->add_option("--labels", arguments->labels, "Their labels (IDX)");
  add_output_flags(*command, context);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace thalweg::cli
