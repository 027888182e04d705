// thalweg evaluate

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/device.hpp"
#include "cli/looped.hpp"
#include "cli/opened_run.hpp"
#include "cli/outcome.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/texts.hpp"
#include "core/error.hpp"
#include "core/numbers.hpp"
#include "core/workers.hpp"
#include "run/data_record.hpp"
#include "run/model_parts.hpp"
#include "run/sections.hpp"
#include "run/trained_system.hpp"
#include "store/atomic_file.hpp"
#include "train/evaluation.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

struct EvaluateArguments {
  std::string run, data, images, labels, device = "cpu";
  int threads = 0;
};

struct Measured {
  Dataset data;
  std::string name;
};

constexpr const char* own_figures = "evaluation";  // the name of what a system measures by its own actions

/// The data on which a run is measured by default: its test data, or its held-out rows. Both must be unchanged.
Measured own_data(const EvaluateArguments& arguments, const data::Preprocessing& preprocessing,
                  std::vector<std::string>& warnings) {
  const fs::path folder = arguments.run;
  if (!fs::exists(folder / "config.toml")) {
    fail<UsageError>("[evaluate] {} is not a run folder, so its data is not known. Hint: --data FILE.", arguments.run);
  }
  const ConfigTree tree = read_toml(folder / "config.toml");
  const DataOptions options = read_data_options(tree, folder);
  const DataRecord record = DataRecord::read(folder / "data.json");
  const std::string part = record.places.contains("test") ? "test" : "validation";
  const bool held_out = part == "validation" && !record.places.contains("validation");
  if (held_out && record.held_out.empty()) {
    fail<UsageError>("[evaluate] {} has no test data and held nothing out. Hint: --data FILE.", arguments.run);
  }
  const std::string change = change_at(held_out ? "train" : part, record, options, seed_in(tree, 1));
  if (!change.empty()) {
    fail<DataError>("[evaluate] since {} was trained, its data has changed: {}. Hint: --data FILE.", arguments.run,
                    change);
  }
  if (held_out) return {encode_held_out(preprocessing, record.held_out, options, warnings), part};
  const OptionValue& place = part == "test" ? options.test : options.validation;
  return {encode_place(preprocessing, place, options, warnings), part};
}

/// The options by which the run read its tables, if they are known.
DataOptions options_of(const EvaluateArguments& arguments) {
  const fs::path config = fs::path(arguments.run) / "config.toml";
  return fs::exists(config) ? read_data_options(read_toml(config), arguments.run) : DataOptions{};
}

/// Figures on rows that the run was trained on say little about other rows.
void warn_of_training_data(const EvaluateArguments& arguments, std::vector<std::string>& warnings) {
  const fs::path record = fs::path(arguments.run) / "data.json";
  if (arguments.data.empty() || !fs::is_regular_file(arguments.data) || !fs::exists(record)) return;
  const auto places = DataRecord::read(record).places;
  const auto train = places.find("train");
  if (train == places.end()) return;
  const auto size = static_cast<std::int64_t>(fs::file_size(arguments.data));
  const auto is_this = [&](const FileContent& one) {
    return one.bytes == size && one.checksum == content_of_file(arguments.data).checksum;
  };
  if (std::ranges::any_of(train->second, is_this))
    warnings.push_back(fmt::format("{}: the run was trained on this file, so most of its rows are not new to the model",
                                   arguments.data));
}

Measured given_data(const EvaluateArguments& arguments, const data::Preprocessing& preprocessing,
                    std::vector<std::string>& warnings) {
  const OptionValue place = arguments.data.empty()
                                ? OptionValue{OptionMap{{"images", {arguments.images}}, {"labels", {arguments.labels}}}}
                                : OptionValue{arguments.data};
  if (!arguments.data.empty() && !(arguments.images.empty() && arguments.labels.empty()))
    fail<UsageError>("[evaluate] --data and {}. Wanted: one of them",
                     arguments.images.empty() ? "--labels" : "--images");
  const auto options = options_for(preprocessing, place, options_of(arguments));
  const bool half = arguments.data.empty() && (arguments.images.empty() || arguments.labels.empty());
  if (!options || half) {
    fail<UsageError>("[evaluate] this is a model of {}.",
                     preprocessing.tensor()      ? "images. Hint: --images FILE --labels FILE, or --data FOLDER"
                     : preprocessing.table()     ? "tables. Hint: --data FILE"
                     : preprocessing.sound()     ? "sounds. Hint: --data FILE, or FOLDER"
                     : preprocessing.sequences() ? "pairs of sequences. Hint: --data FILE"
                     : preprocessing.words()     ? "words. Hint: --data FILE, or FOLDER"
                                                 : "texts. Hint: --data FILE");
  }
  warn_of_training_data(arguments, warnings);
  return {encode_place(preprocessing, place, *options, warnings),
          arguments.data.empty() ? arguments.images : arguments.data};
}

/// The baselines of the run, if it saved any and they fit this data. The model is measured without them if their file
/// is damaged.
std::vector<NamedMetrics> baselines_on(const EvaluateArguments& arguments, const Model& model, const Dataset& data,
                                       const Context& context) {
  const fs::path file = fs::path(arguments.run) / "baselines.safetensors";
  const bool known = fs::exists(file) && !data.streams() && data.has("input") && data.rows() > 0;
  if (!known) return {};
  const Recipe& recipe = model.parts().recipe;
  try {
    return metrics_of(load_baselines(file, *model.parts().loss, recipe.outputs, data), recipe, data);
  } catch (const ModelError& error) {
    if (!context.quiet) say("warning: no baselines: {}\n", error.what());
    return {};
  }
}

bool is_own(const EvaluateArguments& arguments) {
  return arguments.data.empty() && arguments.images.empty() && arguments.labels.empty();
}

/// Opens a stopped run, to measure it on the given data. Its own data is not read, because it may have changed.
OpenedRun stopped_on(const EvaluateArguments& arguments, const Context& context, std::string& name,
                     std::vector<std::string>& warnings) {
  const fs::path file = fs::path(arguments.run) / "recipe.safetensors";
  if (!fs::exists(file))
    fail<UsageError>("[evaluate] {} has not finished. Hint: {}", arguments.run, way_on(arguments.run));
  const Recipe recipe = recipe_of(read_safetensors(file), file.string());
  Measured given = given_data(arguments, recipe.preprocessing, warnings);
  name = std::move(given.name);
  return open_stopped(arguments.run, recipe, given.data, context.registry, warnings, arguments.threads);
}

nlohmann::ordered_json json_of(const Metrics& metrics) {
  nlohmann::ordered_json result;
  for (const auto& [name, value] : metrics) result[name] = value;
  return result;
}

/// How far a stopped run is.
struct Stopped {
  std::int64_t step, total_steps;
  [[nodiscard]] std::string text() const {
    return fmt::format("the run is at step {} of {}", with_commas(step), with_commas(total_steps));
  }
};

/// Prints the figures of a system with this state.
int show_figures(const EvaluateArguments& arguments, const Context& context, const System& system, const State& state,
                 const data::Preprocessing& preprocessing, const SystemSets& on,
                 const std::optional<Stopped>& stopped = {}) {
  const SystemFigures figures = system.evaluate(state, on);
  const fs::path folder = fs::path(arguments.run) / "evaluation";
  std::vector<std::string> files;
  for (const auto& [name, medium] : figures.media) {
    fs::create_directories(folder);
    files.push_back((folder / (std::to_string(files.size() + 1) + medium.extension())).string());
    write_atomically(files.back(), medium.bytes);
    if (!context.json) emit("{:<12}{}: {}\n", "shown", shown(name), shown(files.back()));
  }
  if (!context.json) {
    const std::string measured =
        figures.on.empty() ? metrics_note(on.test.rows(), Recipe{{}, {}, 1, preprocessing}, false) : figures.on;
    print_metrics(on.name, figures.metrics, stopped ? measured + "; " + stopped->text() : measured, figures.baselines);
    return 0;
  }
  nlohmann::ordered_json result{{"data", on.name}, {"rows", on.test.rows()}};
  if (system.own_rows) result = {{"on", figures.on}};
  if (stopped) {
    result["step"] = stopped->step;
    result["total_steps"] = stopped->total_steps;
  }
  result.update(json_of(figures.metrics));
  for (const auto& [name, metrics] : figures.baselines) result["baselines"][name] = json_of(metrics);
  result["shown"] = files;
  emit_line_of(result);
  return 0;
}

/// Measures a stopped run on the given data, or else on its test data or its held-out rows.
int evaluate_stopped(const EvaluateArguments& arguments, const Context& context) {
  std::vector<std::string> warnings;
  std::string name;
  OpenedRun opened = is_own(arguments)
                         ? open_run(arguments.run, Parameters::evaluated, context.registry, warnings, arguments.threads)
                         : stopped_on(arguments, context, name, warnings);
  for (const std::string& warning : warnings) {
    if (!context.quiet) say("warning: {}\n", warning);
  }
  Session& session = opened.session;
  if (name.empty()) name = session.parts.test ? "test" : "validation";
  const std::optional<Dataset>& data = session.parts.test ? session.parts.test : session.parts.validation;
  const Stopped stopped{session.trainer.state().step, opened.total_steps};
  if (session.system && session.system->own_rows && session.system->evaluate && is_own(arguments)) {
    const Dataset none;
    return show_figures(arguments, context, *session.system, session.trainer.state(), session.parts.preprocessing,
                        {.train = session.parts.train, .test = none, .name = own_figures, .seed = opened.config.seed},
                        stopped);
  }
  if (session.system && session.system->own_rows)
    fail<UsageError>("[evaluate] {} has not finished. Hint: {}", arguments.run, way_on(arguments.run));
  if (!data) fail<UsageError>("[evaluate] {} has no test data and holds nothing out", arguments.run);
  const Evaluation evaluation = session.trainer.evaluate(*data, opened.average);
  if (!context.json) {
    print_metrics(
        name, evaluation.metrics,
        fmt::format("{}; {}{}", metrics_note(evaluation.rows, session.recipe, data->has("weight")), stopped.text(),
                    opened.is_best            ? ", and these are its best parameters so far"
                    : !opened.average.empty() ? ", and these are the averages of its parameters"
                                              : ""));
    return 0;
  }
  nlohmann::ordered_json result{{"data", name},
                                {"rows", evaluation.rows},
                                {"step", stopped.step},
                                {"total_steps", stopped.total_steps},
                                {"best_so_far", opened.is_best}};
  if (!opened.average.empty()) result["average"] = opened.average;
  for (const auto& [metric, value] : evaluation.metrics) result[metric] = value;
  emit_line_of(result);
  return 0;
}

bool is_stopped(const fs::path& folder) {
  return fs::exists(folder / "config.toml") && fs::exists(folder / "checkpoints") && !RunFolder::finished(folder);
}

/// Throws DataError for images of another size than the model's.
void expect_size(const Measured& measured, const data::Preprocessing& preprocessing) {
  const auto* tensor = preprocessing.tensor();
  const auto& columns = measured.data.columns();  // rows that are not read yet have a shape, too
  const auto input = std::ranges::find(columns, "input", [](const auto& column) { return column.first; });
  if (!tensor || input == columns.end()) return;
  const Shape row(input->second.shape().sizes().subspan(1));
  if (row != tensor->input)
    fail<DataError>("[evaluate] {} has images of {}. Wanted: images of {}", measured.name, row, tensor->input);
}

/// Reads the data as the trained model or system reads it, and prints the warnings.
Measured measured_data(const EvaluateArguments& arguments, const data::Preprocessing& preprocessing,
                       const Context& context) {
  std::vector<std::string> warnings;
  Measured measured =
      is_own(arguments) ? own_data(arguments, preprocessing, warnings) : given_data(arguments, preprocessing, warnings);
  for (const std::string& warning : warnings) {
    if (!context.quiet) say("warning: {}\n", warning);
  }
  expect_size(measured, preprocessing);
  return measured;
}

/// The data is as the model's file describes it: a loss that cannot take it is a mistake of the file.
Evaluation evaluated(const Model& model, const Measured& measured, const EvaluateArguments& arguments) {
  (void)default_threads();  // a wrong THALWEG_THREADS is no mistake of the file
  try {
    return model.evaluate(measured.data);
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", arguments.run, error.what());
  }
}

/// The training data of a system, to which its baselines are fitted: that of the run, as its model reads it.
Parts training_parts(const EvaluateArguments& arguments, const TrainedSystem& trained, const ConfigTree& tree) {
  const DataOptions options = read_data_options(tree, arguments.run);
  const std::uint64_t seed = seed_in(tree, 1);
  const std::string change = change_at("train", DataRecord::read(fs::path(arguments.run) / "data.json"), options, seed);
  if (!change.empty())
    fail<DataError>("[evaluate] since {} was trained, its training data has changed: {}.", arguments.run, change);
  Parts parts = DataSource(options).parts(seed);
  if (parts.preprocessing.json() != trained.preprocessing.json())
    fail<ModelError>(
        "[evaluate] the model of {} reads its data in another way than config.toml says: one of the two was "
        "changed.",
        arguments.run);
  return parts;
}

/// Measures a system on the test rows of the run or the given ones.
int run_system(const EvaluateArguments& arguments, const Context& context) {
  const TrainedSystem trained = load_system(arguments.run, context.registry);
  if (!trained.system.evaluate)
    fail<UsageError>("[evaluate] {} has no figures to measure. Hint: thalweg generate", trained.choice.kind);
  const fs::path config = fs::path(arguments.run) / "config.toml";
  if (!fs::exists(config))
    fail<UsageError>(
        "[evaluate] {} is not a run folder, so its training data is not known. Wanted: the folder of the run",
        arguments.run);
  const bool own_rows = trained.system.own_rows.has_value();
  if (own_rows && !is_own(arguments))
    fail<UsageError>("[evaluate] {} is measured by its actions, not on data", trained.choice.kind);
  const Measured measured =
      own_rows ? Measured{{}, own_figures} : measured_data(arguments, trained.preprocessing, context);
  const ConfigTree tree = read_toml(config);
  const std::uint64_t seed = seed_in(tree, 1);
  const Parts parts = own_rows ? Parts{trained.preprocessing, {}} : training_parts(arguments, trained, tree);
  return show_figures(arguments, context, trained.system, trained.state, trained.preprocessing,
                      {.train = parts.train,
                       .test = measured.data,
                       .name = measured.name,
                       .seed = seed,
                       .validation = parts.validation ? &*parts.validation : nullptr});
}

int run(const EvaluateArguments& arguments, const Context& context) {
  if (text_run(arguments.run) || looped_run(arguments.run))
    refuse_device(arguments.device, "embeddings, recommenders and classifiers of texts are used");
  const DeviceInUse device(arguments.device);
  const DefaultThreads threads(arguments.threads);
  if (const auto texts = text_run(arguments.run)) return evaluate_texts(*texts, arguments.data, context);
  if (const LoopedRow* row = looped_run(arguments.run))
    return evaluate_looped(*row, arguments.run, arguments.data, context);
  if (is_stopped(arguments.run)) return evaluate_stopped(arguments, context);
  if (holds_system(arguments.run)) return run_system(arguments, context);
  const Model model = Model::load(arguments.run, context.registry);
  const Recipe& recipe = model.parts().recipe;
  const Measured measured = measured_data(arguments, recipe.preprocessing, context);
  const Evaluation evaluation = evaluated(model, measured, arguments);
  const std::vector<NamedMetrics> baselines = baselines_on(arguments, model, measured.data, context);
  if (!context.json) {
    print_metrics(measured.name, evaluation.metrics, metrics_note(evaluation.rows, recipe, measured.data.has("weight")),
                  baselines);
    const bool classes = !recipe.preprocessing.text() && recipe.preprocessing.task() != data::Task::regression;
    if (classes) {
      const metric::Weights weights = weights_on(*model.parts().loss, measured.data);
      print_confusion(confusion_on(evaluation.predictions, measured.data, weights), class_names(recipe));
    }
    return 0;
  }
  nlohmann::ordered_json result{{"data", measured.name}, {"rows", evaluation.rows}};
  if (measured.data.has("weight")) result["weighted"] = true;
  result.update(json_of(evaluation.metrics));
  for (const auto& [name, metrics] : baselines) result["baselines"][name] = json_of(metrics);
  emit_line_of(result);
  return 0;
}

constexpr const char* examples = R"(Examples:
  thalweg evaluate runs/houses                     on the run's own test data, or the rows it held out
  thalweg evaluate runs/houses --data new.csv      columns are matched by name
  thalweg evaluate runs/fashion --images i.gz --labels l.gz
  thalweg evaluate runs/detector --data runs/vae   generated images of this run, and real test images)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<EvaluateArguments>();
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command.add_option("--data", arguments->data, "Table or text to measure on; for a detector, the run of a generator");
  command.add_option("--images", arguments->images, "Images to measure on (IDX)");
  command.add_option("--labels", arguments->labels, "Their labels (IDX)");
  add_device_option(command, arguments->device);
  add_threads_option(command, arguments->threads);
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> evaluate_commands() {
  return {{"evaluate", "Measure a trained model on data", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli
