#include "cli/opened_run.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "options/text.hpp"
#include "run/data_record.hpp"
#include "run/run.hpp"
#include "store/checkpoint.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

void refuse_changed_data(const fs::path& folder, const Config& config) {
  if (!fs::exists(folder / "data.json")) return;
  const std::string change = change_at("train", DataRecord::read(folder / "data.json"), config.data, config.seed);
  if (change.empty()) return;
  fail<DataError>("[run] since {} was trained, its data has changed: {}. Hint: train it anew.", folder.string(),
                  change);
}

}  // namespace

EvaluationFunction OpenedRun::function(const Registry& registry) const {
  return evaluation_of(session.recipe.make_model(registry), session.recipe.make_loss(registry));
}

double OpenedRun::last_lr() const { return history.steps.empty() ? optimizer.lr : history.steps.back().lr; }

OpenedRun open_run(const std::string& folder, const Registry& registry, std::vector<std::string>& warnings) {
  const fs::path path(folder);
  if (!fs::exists(path / "config.toml"))
    fail<UsageError>("[run] {} is no run folder: there is no config.toml in it. Hint: thalweg train makes one.",
                     folder);
  ConfigArguments arguments;
  arguments.source = folder;
  const LoadedConfig loaded = load(read_arguments(arguments, registry), registry);
  refuse_system(loaded.config, "run");
  refuse_changed_data(path, loaded.config);
  Session session =
      make_session(loaded.config, loaded.source.facts(), loaded.source.parts(loaded.config.seed), registry);
  OpenedRun run{.folder = path,
                .config = loaded.config,
                .optimizer = loaded.config.make_optimizer(registry),
                .session = std::move(session),
                .history = {},
                .start = {},
                .state = {}};
  run.start = run.session.trainer.state();
  if (fs::exists(path / "metrics.jsonl")) run.history = MetricsLog(path / "metrics.jsonl").history();
  const fs::path model = path / "model.safetensors";
  run.finished = fs::exists(model);
  if (run.finished) {
    run.session.trainer.load(model.string(), run.session.parts.train.slice(0, 1));
  } else {
    auto checkpoint =
        newest_checkpoint(path / "checkpoints", run.session.trainer.state(), run.config.fingerprint(), warnings);
    if (!checkpoint) fail<UsageError>("[run] {} has neither a model nor a checkpoint. Hint: train it further.", folder);
    run.session.trainer.set_state(std::move(checkpoint->state));
  }
  run.state = run.session.trainer.state();
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
