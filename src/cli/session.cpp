#include "cli/session.hpp"

#include <algorithm>
#include <memory>

#include "cli/output.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "run/number_places.hpp"
#include "run/run.hpp"
#include "run/trained_part.hpp"
#include "run/trained_system.hpp"
#include "train/baseline.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

Trainer system_trainer(const System& system, const Config& config, const Optimizer& optimizer) {
  std::vector<ObjectiveRow> rows;
  for (const SystemObjective& objective : system.objectives) {
    rows.push_back({objective.name, objective.loss, optimizer, objective.options});
    rows.back().optimizer.lr *= objective.lr_factor;
  }
  return Trainer(std::move(rows), {.threads = config.train.threads});
}

[[noreturn]] void refuse_kind(const std::string& kind, std::string_view command) {
  fail<UsageError>("[{}] {} is a system. Wanted: a configuration with a model and a loss", command, shown(kind));
}

}  // namespace

std::vector<std::string> Session::objectives() const {
  std::vector<std::string> names;
  if (!system || system->objectives.size() < 2) return names;
  for (const SystemObjective& objective : system->objectives) names.push_back(objective.name);
  return names;
}

void refuse_system(const Config& config, std::string_view command) {
  if (!config.has_system()) return;
  refuse_kind(config.system.kind, command);
}

void refuse_system(const ConfigTree& tree, std::string_view command) {
  const OptionValue* kind = tree.find("system.kind");
  const auto* name = kind ? kind->get_if<std::string>() : nullptr;
  if (name) refuse_kind(*name, command);
}

void refuse_watching(const Config& config, std::string_view command) {
  if (!config.train.budget.empty())
    fail<UsageError>("[{}] train.budget = {} would not stop its trainings: it is for single runs. Wanted: \"\"",
                     command, OptionValue{config.train.budget}.str());
  if (config.insight.every.amount > 0)
    fail<UsageError>("[{}] insight.every = {}: no looks are taken at its trainings. Wanted: 0", command,
                     config.insight.every.str());
}

Trainer make_trainer(const Session& session, const Config& config, Optimizer optimizer, const Registry& registry) {
  if (session.system) return system_trainer(*session.system, config, optimizer);
  return Trainer(session.recipe.make_model(registry, session.parts.augmentation), session.recipe.make_loss(registry),
                 std::move(optimizer), config.train.threads);
}

void renew_trainer(Session& session, const Config& config, const Registry& registry) {
  Trainer fresh =
      make_trainer(session, config, config.make_optimizer(registry), registry);  // it needs almost no memory yet
  fresh.set_state(session.trainer.state());
  std::destroy_at(&session.trainer);
  std::construct_at(&session.trainer, std::move(fresh));
}

namespace {

/// For a system that makes its own rows.
void refuse_data(const Config& config) {
  if (config.data.format == "none") return;
  fail<UsageError>("[data] {} makes its own rows and does not read {}. Hint: leave [data] out.", config.system.kind,
                   config.data.train.str());
}

/// Starts from the parameters of a trained run. Its data must have been encoded as the present data is.
void start_from(const std::string& run, const SystemRow& row, const OptionMap& options, Trainer& trainer,
                const Parts& parts) {
  const auto names_it = [&](const auto& option) {
    const auto* text = option.second.template get_if<std::string>();
    return text && *text == run;
  };
  const auto own = std::ranges::find_if(options, names_it);
  const std::string key = own == options.end() ? "start" : own->first;
  expect_run(key, run);
  const std::string kind = kind_of_run(run), wanted(row.part ? row.part->kind : row.name);
  if (kind != wanted)
    fail<UsageError>("[system] {} = \"{}\" is a run of {}. Wanted: one of {}", key, run, kind, wanted);
  const fs::path file = model_file(run);
  if (!(preprocessing_in(file) == parts.preprocessing))
    fail<UsageError>(
        "[system] {} = \"{}\" is a run on data that is encoded otherwise. Wanted: one of this kind, on the same "
        "symbols",
        key, run);
  trainer.load(file, parts.train.slice(0, 1), Patterns{});
}

}  // namespace

Recipe make_recipe(const Config& config, const DataFacts& facts, const Parts& parts, const Registry& registry) {
  Recipe recipe{with_numbers_of(config.model, parts.preprocessing, parts.train), config.loss, facts.outputs,
                parts.preprocessing};
  if (config.has_system()) return recipe;  // a system has its own losses
  const LossFunction loss = recipe.make_loss(registry);
  recipe.model = with_limits_of(std::move(recipe.model), loss, parts.preprocessing, parts.train);
  recipe.offset = usual_output(loss, parts.train);
  return recipe;
}

Session make_session(const Config& config, const DataFacts& facts, Parts parts, const Registry& registry) {
  if (!config.has_system() && config.data.format == "none")
    fail<UsageError>("[data] {} learns from data, and there is none. Hint: train = \"FILE\" in [data].",
                     config.model.kind);
  Recipe recipe = make_recipe(config, facts, parts, registry);
  if (config.has_system()) {
    System system = registry.system(config.system.kind)
                        .make(system_data(parts.preprocessing, config.train.threads, registry.environments()),
                              config.system.options);
    if (system.own_rows) {
      refuse_data(config);
      parts.train = system.own_rows->like;
    }
    Trainer trainer = system_trainer(system, config, config.make_optimizer(registry));
    trainer.init(parts.train.slice(0, 1), config.seed);
    if (!system.start.empty())
      start_from(system.start, registry.system(config.system.kind), config.system.options, trainer, parts);
    return {std::move(recipe), std::move(parts), std::move(trainer), std::move(system)};
  }
  Trainer trainer(recipe.make_model(registry, parts.augmentation), recipe.make_loss(registry),
                  config.make_optimizer(registry), config.train.threads);
  trainer.init(parts.train.slice(0, 1), config.seed);
  return {std::move(recipe), std::move(parts), std::move(trainer)};
}

namespace {

std::string_view words_name(const data::WordPreprocessing& words) {
  return words.classes.empty() ? "windows" : "sentences";
}

}  // namespace

std::string_view rows_name(const data::Preprocessing& preprocessing) {
  return preprocessing.table()       ? "rows"
         : preprocessing.text()      ? "windows"
         : preprocessing.sound()     ? "sounds"
         : preprocessing.sequences() ? "pairs"
         : preprocessing.words()     ? words_name(*preprocessing.words())
                                     : "images";
}

std::string_view rows_name(const Recipe& recipe) {
  const bool is_model = !recipe.model.kind.empty();
  return recipe.preprocessing.text() && !is_model ? "pairs" : rows_name(recipe.preprocessing);
}

namespace {

/// "u8 (28, 28, 1)": a row in the form in which a system gets it.
std::string rows_of(const data::Preprocessing& preprocessing) {
  const SystemData data = system_data(preprocessing, 0, {});
  if (preprocessing.sound()) return fmt::format("steps of {} numbers, {} letters", data.input[0], data.classes.size());
  if (const auto* words = preprocessing.words())
    return fmt::format("{} of {} of {} words", rows_name(preprocessing), words->length,
                       with_commas(std::ssize(words->words)));
  if (const auto* pairs = preprocessing.sequences())
    return fmt::format("{} and {} symbols", pairs->source.size(), pairs->target.size());
  return fmt::format("{} of {} {}", rows_name(preprocessing), data.dtype, data.input);
}

}  // namespace

std::string describe(const Config& config, const Session& session) {
  const data::Preprocessing& preprocessing = session.parts.preprocessing;
  const auto* table = preprocessing.table();
  const auto* text_data = preprocessing.text();
  const bool classes = preprocessing.task() != data::Task::regression;
  const std::string task = table ? fmt::format("{} of {}", data::name(preprocessing.task()), table->schema().target)
                           : text_data ? fmt::format("language of {} tokens in windows of {}", session.recipe.outputs,
                                                     text_data->sequence_length)
                           : classes   ? fmt::format("{} classes", session.recipe.outputs)
                                       : fmt::format("{} numbers an image", session.recipe.outputs);
  const std::string parameters = "; " + counted(session.trainer.state().layout->parameters(), "parameters");
  if (session.system && session.system->own_rows) {
    const OwnRows& own = *session.system->own_rows;
    return fmt::format("{}: {} {} a collection, {} over each{}", config.system.kind, with_commas(own.like.rows()),
                       own.unit, own.passes == 1 ? "one pass" : fmt::format("{} passes", own.passes), parameters);
  }
  const std::string& what = config.has_system() ? config.system.kind : config.model.kind;
  const bool pairs = text_data && config.has_system();
  std::string text = fmt::format("{}: {}; {} to train on", what,
                                 pairs ? fmt::format("texts of up to {} tokens", text_data->sequence_length)
                                 : config.has_system() ? rows_of(preprocessing)
                                                       : task,
                                 counted(session.parts.train.rows(), rows_name(session.recipe)));
  if (session.parts.validation) text += fmt::format(", {} to validate", with_commas(session.parts.validation->rows()));
  if (session.parts.test) text += fmt::format(", {} to test", with_commas(session.parts.test->rows()));
  return text + parameters;
}

std::vector<std::string> class_names(const Recipe& recipe) {
  std::vector<std::string> names = recipe.preprocessing.classes();
  for (auto c = static_cast<std::int64_t>(names.size()); c < std::max<std::int64_t>(2, recipe.outputs); ++c) {
    names.push_back(std::to_string(c));
  }
  return names;
}

std::string metric_text(const std::string& metric, double value, const std::vector<NamedMetrics>& baselines) {
  std::string beside;
  for (const auto& [name, metrics] : baselines) {
    const auto own = std::ranges::find(metrics, metric, &Metrics::value_type::first);
    if (own == metrics.end()) continue;
    beside += fmt::format("{}{}: {}", beside.empty() ? "" : ", ", shown(name), figure(own->second));
  }
  return fmt::format("{} {}{}", metric, figure(value), beside.empty() ? "" : " (" + beside + ")");
}

void print_metrics(std::string_view name, const Metrics& metrics, std::string_view note,
                   const std::vector<NamedMetrics>& baselines) {
  std::string text = fmt::format("{:<11} ", name);  // a name may be longer than its column
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (i > 0) text += baselines.empty() ? "  " : fmt::format("\n{:<12}", "");
    text += metric_text(metrics[i].first, metrics[i].second, baselines);
  }
  if (!note.empty()) text += fmt::format("  ({})", note);
  emit("{}\n", text);
}

std::string metrics_note(std::int64_t rows, const Recipe& recipe, bool weighted) {
  std::string note = counted(rows, rows_name(recipe));
  const auto* table = recipe.preprocessing.table();
  if (table && weighted) note += ", weighted by " + shown(table->schema().weight);
  const data::Task task = recipe.preprocessing.task();
  if (table && task == data::Task::regression && (table->target().scale != 1 || table->target().shift != 0)) {
    note += "; the loss is of the standardised target";
  }
  const bool classes = task == data::Task::binary || (task == data::Task::multiclass && recipe.outputs == 2);
  if (classes) note += "; positive: " + shown(class_names(recipe)[1]);
  return note;
}

namespace {

constexpr std::size_t few_classes = 8, lowest_shown = 5, widest_class = 16;

/// A long name without its middle: names often begin alike.
std::string without_middle(const std::string& name) {
  constexpr std::size_t side = (widest_class - 2) / 2;
  const bool plain = std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (name.size() <= widest_class || !plain) return name;
  return name.substr(0, side) + ".." + name.substr(name.size() - side);
}

std::string recall_text(const Confusion::Counts& counts) {
  return counts.tp + counts.fn > 0 ? figure(counts.recall()) : "-";
}

/// The classes with the lowest recall among those that have rows.
void print_lowest_recalls(const Confusion& confusion, const std::vector<std::string>& classes) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    if (confusion.of(c).tp + confusion.of(c).fn > 0) order.push_back(c);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t c) { return confusion.of(c).recall(); });
  std::string text;
  for (std::size_t i = 0; i < std::min(order.size(), lowest_shown); ++i) {
    text += fmt::format("{}{} {}", i > 0 ? ", " : "", classes[order[i]], figure(confusion.of(order[i]).recall()));
  }
  emit("{:<12}lowest of {} classes: {}\n", "recall", with_commas(std::ssize(order)), text);
}

}  // namespace

void print_confusion(const Confusion& confusion, const std::vector<std::string>& names) {
  std::vector<std::string> classes;
  for (const std::string& name : names) classes.push_back(shown(name));
  if (confusion.size() > few_classes) return print_lowest_recalls(confusion, classes);
  std::size_t width = 6;
  for (std::string& name : classes) {
    name = without_middle(name);
    width = std::max(width, std::min(name.size(), widest_class));
  }
  std::string header = fmt::format("{:<12}{:<{}}", "confusion", "true", width);
  for (const std::string& name : classes) header += fmt::format("  {:>{}.16}", name, width);
  emit("{}  {:>{}}  (columns: predicted)\n", header, "recall", width);
  for (std::size_t truth = 0; truth < confusion.size(); ++truth) {
    std::string line = fmt::format("{:<12}{:<{}.16}", "", classes[truth], width);
    for (std::size_t p = 0; p < confusion.size(); ++p) {
      line += fmt::format("  {:>{}}", number_text(confusion.at(truth, p)), width);
    }
    emit("{}  {:>{}}\n", line, recall_text(confusion.of(truth)), width);
  }
}

}  // namespace thalweg::cli
