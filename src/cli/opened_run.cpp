#include "cli/opened_run.hpp"

#include <algorithm>
#include <cmath>

#include "cli/looped.hpp"
#include "cli/texts.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/random.hpp"
#include "core/workers.hpp"
#include "optim/update.hpp"
#include "options/text.hpp"
#include "run/data_record.hpp"
#include "run/other_kind.hpp"
#include "run/run.hpp"
#include "store/checkpoint.hpp"
#include "store/safetensors.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

void refuse_changed_data(const fs::path& folder, const DataOptions& options, std::uint64_t seed) {
  if (!fs::exists(folder / "data.json")) return;
  const DataRecord before = DataRecord::read(folder / "data.json");
  for (const auto& [key, files] : before.places) {
    const std::string change = change_at(key, before, options, seed);
    if (change.empty()) continue;
    const bool is_known = fs::exists(folder / "model.safetensors") || fs::exists(folder / "recipe.safetensors");
    fail<DataError>("[run] since {} was trained, its data has changed: {}. Hint: {}", folder.string(), change,
                    is_known ? fmt::format("thalweg evaluate {} --data FILE", shell_quoted(folder.string()))
                             : "restore the data, or begin a new run");
  }
}

/// The parameters with which an unfinished run is evaluated. With several objectives, each of which has its own slots,
/// they are those of the last step.
Tensor evaluated(const Checkpoint& checkpoint, const OpenedRun& run) {
  if (run.is_best) return *checkpoint.best_parameters;
  if (run.session.objectives().size() > 1) return checkpoint.state.parameters;
  return evaluated_parameters(checkpoint.state, run.optimizer);
}

/// The moving average that a system keeps of its parameters: the first of several, empty if there is none.
std::string average_of(const Session& session) {
  if (!session.system) return "";
  for (const SystemObjective& objective : session.system->objectives) {
    if (!objective.options.averages.empty()) return objective.options.averages.front().name;
  }
  return "";
}

/// Sets the state of the run, also in its trainer.
void take_state(OpenedRun& run, Parameters parameters, std::vector<std::string>& warnings) {
  Trainer& trainer = run.session.trainer;
  run.start = run.state = trainer.state();
  const auto checkpoint =
      newest_checkpoint(run.folder / "checkpoints", trainer.state(), run.config.fingerprint(), warnings);
  if (checkpoint) {
    run.state = checkpoint->state;
    run.total_steps = checkpoint->position.total_steps;
  }
  if (run.finished) {
    const fs::path model = run.folder / "model.safetensors";
    const SafetensorsFile file = read_safetensors(model);
    expect_finite(file, model.string());
    for (const ParameterEntry& entry : run.state.layout->entries)
      run.state.set_parameter(entry.name, file.tensor(entry.name));
  } else if (!checkpoint) {
    fail<UsageError>("[run] {} has no parameters yet. Hint: {}", run.folder.string(), way_on(run.folder));
  } else if (parameters == Parameters::evaluated) {
    run.is_best = run.history.best_restored && checkpoint->best_parameters;
    run.state.parameters = evaluated(*checkpoint, run);
    run.average = average_of(run.session);
  }
  trainer.set_state(run.state);
}

/// Adds to the history what the log does not contain: whether the best epoch was restored, and why the run ended.
void complete(History& history, const Config& config, bool finished) {
  const auto stopping = config.fit_options().early_stopping;
  history.best_restored = !stopping || stopping->restore_best;
  if (!finished) history.reason = StopReason::stop_after;
  if (!finished || !stopping || history.best_epoch == 0 || history.steps.empty()) return;
  const StepReport& last = history.steps.back();
  const auto best = std::ranges::find(history.epochs, history.best_epoch, &EpochReport::epoch);
  const std::int64_t steps_an_epoch = best->step / history.best_epoch;
  const std::int64_t patience = stopping->patience.steps(last.total_steps, steps_an_epoch);
  if (last.step < last.total_steps && last.step - best->step >= patience) history.reason = StopReason::stopped_early;
}

}  // namespace

Tensor evaluated_parameters(const State& state, const Optimizer& optimizer) {
  Workers alone(1);
  return evaluation_parameters(make_update(optimizer, *state.layout), state, alone);
}

EvaluationFunction OpenedRun::function(const Registry& registry) const {
  refuse_system(config, "run");
  return evaluation_of(session.recipe.make_model(registry), session.recipe.make_loss(registry));
}

double OpenedRun::last_lr() const { return history.steps.empty() ? optimizer.lr : history.steps.back().lr; }

OpenedRun open_run(const fs::path& folder, Parameters parameters, const Registry& registry,
                   std::vector<std::string>& warnings, int threads) {
  ConfigArguments arguments;
  arguments.source = folder.string();
  const NamedTree named = read_arguments(arguments, registry);
  if (!named.run_folder)
    fail<UsageError>("[run] {} is not a run folder. Hint: thalweg train makes one.", folder.string());
  if (looped_run(named.folder.string()) || text_run(named.folder.string())) refuse_run(named.folder);
  expect_model(named.folder);
  LoadedConfig loaded = load(named, registry);
  if (threads > 0) loaded.config.train.threads = threads;
  refuse_changed_data(named.folder, loaded.source.options(), loaded.config.seed);
  Parts parts = loaded.source.parts(loaded.config.seed);
  loaded.source.forget();
  OpenedRun run{.folder = named.folder,
                .name = named.name,
                .config = loaded.config,
                .optimizer = loaded.config.make_optimizer(registry),
                .session = make_session(loaded.config, loaded.source.facts(), std::move(parts), registry)};
  run.finished = fs::exists(run.folder / "model.safetensors");
  if (fs::exists(run.folder / "metrics.jsonl")) run.history = MetricsLog(run.folder / "metrics.jsonl").history();
  complete(run.history, run.config, run.finished);
  take_state(run, parameters, warnings);
  return run;
}

namespace {

/// A trainer of what recipe.safetensors describes.
Trainer trainer_of(const Recipe& recipe, const Dataset& rows, const Optimizer& optimizer, const Config& config,
                   const fs::path& folder, const Registry& registry) {
  // found first: a wrong THALWEG_THREADS is no mistake of the file
  const int threads = config.train.threads > 0 ? static_cast<int>(config.train.threads) : default_threads();
  try {
    Trainer trainer(recipe.make_model(registry), recipe.make_loss(registry), optimizer, threads);
    trainer.init(rows.slice(0, 1), config.seed);
    return trainer;
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", (folder / "recipe.safetensors").string(), error.what());
  }
}

}  // namespace

OpenedRun open_stopped(const fs::path& folder, const Recipe& recipe, const Dataset& rows, const Registry& registry,
                       std::vector<std::string>& warnings, int threads) {
  const ConfigTree tree = read_toml(folder / "config.toml");
  const data::Preprocessing& preprocessing = recipe.preprocessing;
  const DataFacts facts{
      .task = preprocessing.task(), .outputs = recipe.outputs, .table = preprocessing.table() != nullptr};
  Config config = read_config(tree, read_data_options(tree, folder), facts, registry);
  if (threads > 0) config.train.threads = threads;
  Optimizer optimizer = config.make_optimizer(registry);
  Trainer trainer = trainer_of(recipe, rows, optimizer, config, folder, registry);
  OpenedRun run{.folder = folder,
                .name = folder.filename().string(),
                .config = std::move(config),
                .optimizer = std::move(optimizer),
                .session = {.recipe = recipe,
                            .parts = {.preprocessing = preprocessing, .train = {}, .test = rows},
                            .trainer = std::move(trainer)}};
  complete(run.history, run.config, run.finished);
  take_state(run, Parameters::evaluated, warnings);
  return run;
}

Dataset fixed_rows(const Dataset& data, std::int64_t count, std::uint64_t seed) {
  if (count <= 0 || count >= data.rows()) return data;
  std::vector<std::int64_t> rows = shuffled(RandomKey{seed}.fold("rows to look at"), data.rows());
  rows.resize(static_cast<std::size_t>(count));
  std::ranges::sort(rows);
  return data.take(rows);
}

std::int64_t rows_asked(const std::string& text, const char* option) {
  if (text == "all") return 0;
  const auto number = parse_number(text);
  if (!number || *number < 1 || *number != std::floor(*number) || *number > 1e15)
    fail<UsageError>("[{}] {}. Wanted: a whole number >= 1, or all", option, text);
  return static_cast<std::int64_t>(*number);
}

}  // namespace thalweg::cli
