#include "cli/opened.hpp"

#include "cli/output.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/workers.hpp"
#include "optim/update.hpp"
#include "run/data_record.hpp"
#include "store/checkpoint.hpp"
#include "store/safetensors.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

void refuse_changed_data(const fs::path& folder, const DataOptions& options, std::uint64_t seed) {
  const DataRecord before = DataRecord::read(folder / "data.json");
  for (const auto& [key, files] : before.places) {
    const std::string change = change_at(key, before, options, seed);
    if (change.empty()) continue;
    fail<DataError>("[run] since {} was trained, its data has changed: {}. Hint: thalweg evaluate {} --data FILE",
                    folder.string(), change, shell_quoted(folder.string()));
  }
}

/// What the parameters of a run under way are evaluated as.
State evaluated(const Checkpoint& checkpoint, const Optimizer& optimizer) {
  State state = checkpoint.state;
  Workers alone(1);
  state.parameters = checkpoint.best_parameters
                         ? *checkpoint.best_parameters
                         : evaluation_parameters(make_update(optimizer, *state.layout), state, alone);
  return state;
}

}  // namespace

Opened open_run(const fs::path& folder, const Context& context) {
  ConfigArguments arguments;
  arguments.source = folder.string();
  const NamedTree named = read_arguments(arguments, context.registry);
  if (!named.run_folder) fail<UsageError>("[run] {} is no run folder", folder.string());
  LoadedConfig loaded = load(named, context.registry);
  refuse_changed_data(named.folder, loaded.source.options(), loaded.config.seed);
  Parts parts = loaded.source.parts(loaded.config.seed);
  loaded.source.forget();
  Opened opened{.name = named.name,
                .config = loaded.config,
                .session = make_session(loaded.config, loaded.source.facts(), std::move(parts), context.registry),
                .finished = RunFolder::finished(named.folder)};
  Trainer& trainer = opened.session.trainer;
  std::vector<std::string> warnings;
  const auto checkpoint =
      newest_checkpoint(named.folder / "checkpoints", trainer.state(), loaded.config.fingerprint(), warnings);
  for (const std::string& warning : warnings) say("warning: {}\n", warning);
  if (checkpoint) opened.total_steps = checkpoint->position.total_steps;
  if (!opened.finished && !checkpoint) {
    fail<UsageError>("[run] {} was stopped before its first checkpoint: there is nothing to measure", folder.string());
  }
  const Optimizer optimizer = loaded.config.make_optimizer(context.registry);
  State state = checkpoint ? evaluated(*checkpoint, optimizer) : trainer.state();
  if (opened.finished) {
    const SafetensorsFile file = read_safetensors(named.folder / "model.safetensors");
    for (const ParameterEntry& entry : trainer.state().layout->entries)
      state.set_parameter(entry.name, file.tensor(entry.name));
  }
  trainer.set_state(std::move(state));
  return opened;
}

}  // namespace thalweg::cli
