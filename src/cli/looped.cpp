#include "cli/looped.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/sitting.hpp"
#include "cli/verdicts.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "insight/paired.hpp"
#include "insight/verdict.hpp"
#include "options/differences.hpp"
#include "run/run.hpp"
#include "run/text_classifier.hpp"
#include "store/atomic_file.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

const std::vector<LoopedRow>& looped_rows() {
  static const std::vector<LoopedRow> rows = {looped_embeddings(), looped_recommender()};
  return rows;
}

fs::path unfinished_model(const RunFolder& folder) { return folder.checkpoints() / "system.safetensors"; }

fs::path folder_to_resume(const TrainArguments& arguments, const NamedTree& named, const fs::path& wanted) {
  if (named.run_folder) return named.folder;
  if (!arguments.out.empty() && fs::exists(fs::path(arguments.out) / "config.toml")) return arguments.out;
  if (const auto found = RunFolder::newest_unfinished(wanted)) return *found;
  fail<UsageError>("[resume] there is no unfinished run {}. Hint: without --resume a new one begins.", wanted.string());
}

struct LoopRun {
  std::unique_ptr<LoopConfig> config;
  RunFolder folder;
  std::unique_ptr<Looped> system;
  std::string fingerprint;
};

LoopRun start(const LoopedRow& row, std::unique_ptr<LoopConfig> config, const TrainArguments& arguments,
              const NamedTree& named, const Context& context) {
  const std::string fingerprint = config->fingerprint();
  const fs::path wanted = arguments.out.empty() ? fs::path("runs") / named.name : fs::path(arguments.out);
  if (!arguments.resume) {
    auto system = row.begin(*config, context.registry);
    (void)system->measure("");  // an error in the test data would lose the result of the training
    RunFolder folder = RunFolder::create(wanted);
    write_atomically(folder.config(), config->toml());
    return {std::move(config), std::move(folder), std::move(system), fingerprint};
  }
  RunFolder folder = RunFolder::open(folder_to_resume(arguments, named, wanted));
  const std::string name = folder.path().string();
  if (RunFolder::finished(folder.path()))
    fail<UsageError>("[resume] {} has finished. Hint: without --resume a new run begins.", name);
  if (!fs::exists(unfinished_model(folder)))
    fail<UsageError>(
        "[resume] {} was stopped before it was saved for the first time. Hint: without --resume a new run begins.",
        name);
  auto system = row.begin(*config, context.registry);
  system->restore(unfinished_model(folder), fingerprint);
  return {std::move(config), std::move(folder), std::move(system), fingerprint};
}

int say_stopped(const LoopRun& run, int signal, const Context& context) {
  const std::string name = run.folder.path().string(), command = "thalweg train " + shell_quoted(name) + " --resume";
  if (context.json) {
    emit_line_of(
        nlohmann::ordered_json{{"run", as_utf8(name)}, {"stopped_at", run.system->steps}, {"resume", command}});
  } else {
    emit("stopped at step {}; its state is in {}\nto go on: {}\n", with_commas(run.system->steps),
         shown(run.folder.checkpoints().string()), command);
  }
  return signal != 0 ? 128 + signal : 0;
}

void write_report(const fs::path& folder, LoopConfig& config, Looped& system,
                  const std::optional<Looped::Measured>& measured, const History& history, const Verdict& verdict) {
  ReportData report{.title = folder.filename().string(),
                    .subtitle = system.described(),
                    .verdict = verdict,
                    .history = history,
                    .config = config.toml(),
                    .environment = {{"version", THALWEG_VERSION}}};
  if (measured) {
    report.evaluation = measured->figures.metrics;
    report.baselines = measured->figures.baselines;
    report.evaluated_on = measured->note;
    if (!report.evaluation.empty())
      report.tiles.push_back({report.evaluation[0].first, figure(report.evaluation[0].second), measured->note});
  }
  report.tiles.push_back({"training", duration_text(history.seconds),
                          counted(std::ssize(history.epochs), "epochs") + ", " + counted(system.steps, "steps")});
  report.tiles.push_back({"parameters", with_commas(system.parameters())});
  system.show(report);
  write_atomically(folder / "report.html", report_html(report));
}

nlohmann::ordered_json json_of(const Metrics& metrics) {
  nlohmann::ordered_json object;
  for (const auto& [name, value] : metrics) object[name] = value;
  return object;
}

void add_measured(nlohmann::ordered_json& line, const Looped::Measured& measured) {
  line.update(json_of(measured.figures.metrics));
  for (const auto& [name, count] : measured.counts) line[name] = count;
  for (const auto& [name, metrics] : measured.figures.baselines) line["baselines"][name] = json_of(metrics);
}

/// Measures and judges the trained system, writes its report, and prints the results.
void finish(const fs::path& folder, LoopConfig& config, Looped& system, const History& history,
            const Context& context) {
  const auto measured = system.measure("");
  const Verdict verdict = judge(history, system.constants());
  write_report(folder, config, system, measured, history, verdict);
  if (context.json) {
    nlohmann::ordered_json line{{"run", as_utf8(folder.string())}, {"parameters", system.parameters()}};
    line["verdict"] = verdict_json(verdict);
    if (measured) add_measured(line, *measured);
    return emit_line_of(line);
  }
  if (measured) print_metrics("test", measured->figures.metrics, measured->note, measured->figures.baselines);
  emit_verdict(verdict);
  emit("{:<12}{} parameters, in {}\n", "model", with_commas(system.parameters()),
       shown((folder / "model.safetensors").string()));
  emit("{:<12}{}\n", "report", shown((folder / "report.html").string()));
  emit("{:<12}{}\n", "next", system.next(shell_quoted(folder.string())));
}

/// Only the verdict and the report, for a run that failed and has no model.
void finish_failed(LoopRun& run, const History& history, const JudgeOptions& failure, const Context& context) {
  const Verdict verdict = judge(history, failure);
  write_report(run.folder.path(), *run.config, *run.system, {}, history, verdict);
  emit_failed(run.folder, verdict, context.json);
}

/// One step of a run of `total`.
StepReport take_step(Looped& system, const Optimizer& optimizer, std::int64_t total) {
  const std::int64_t in_epoch = system.steps_in_epoch(), step = system.steps;
  const Progress progress{.step = step, .total = total, .steps_per_epoch = in_epoch};
  const double rate = optimizer.lr * optimizer.schedule.factor(progress);
  StepReport report = system.take(rate, optimizer.schedule.momentum(progress), Sitting::logs(step + 1, total));
  ++system.steps;
  report.step = step + 1;
  report.total_steps = total;
  report.epoch = step / in_epoch + 1;
  report.lr = rate;
  system.epoch_loss += report.loss * report.weight;
  system.epoch_weight += report.weight;
  return report;
}

int train(LoopRun& run, const TrainArguments& arguments, const Context& context) {
  Looped& system = *run.system;
  const LoopConfig& config = *run.config;
  if (!context.quiet && !context.json) say("{}\n", system.described());
  Sitting sitting(run.folder, progress_style(context.quiet, context.json), config.epochs);
  if (system.steps > 0) sitting.go_on_after(system.steps);
  const Optimizer optimizer = config.make_optimizer(context.registry);
  const std::int64_t in_epoch = system.steps_in_epoch(), total = config.epochs * in_epoch;
  while (system.steps < total) {
    try {
      if (const StepReport report = take_step(system, optimizer, total); report.weight > 0) sitting.step(report);
    } catch (const NumericError& error) {
      sitting.end();
      const JudgeOptions failure{.failure = error.what(), .failed_step = sitting.last_step() + 1};
      if (sitting.last_step() > 0) finish_failed(run, sitting.logged(), failure, context);
      throw;
    }
    if (system.steps % in_epoch == 0) {
      if (system.epoch_weight == 0)
        fail<DataError>("[{}] the training data has nothing to learn from: no step had a loss", config.kind());
      Metrics metrics = {{"loss", system.epoch_loss / system.epoch_weight}};
      std::ranges::move(system.end_of_epoch(), std::back_inserter(metrics));
      sitting.epoch({.epoch = system.steps / in_epoch, .step = system.steps, .metrics = std::move(metrics)});
      system.epoch_loss = system.epoch_weight = 0;
    }
    const bool stop = sitting.signal() != 0 || arguments.ends_after(system.steps);
    if (stop || system.steps % config.save_every == 0) system.save(unfinished_model(run.folder), run.fingerprint);
    if (!stop || system.steps == total) continue;
    sitting.end();
    return say_stopped(run, sitting.signal(), context);
  }
  sitting.end();
  finish(run.folder.path(), *run.config, system, sitting.logged(), context);
  system.save(run.folder.model(),
              run.fingerprint);  // written last, because a folder with a model counts as a finished run
  return 0;
}

// --- folds ---

std::optional<double> value_of(const Metrics& metrics, const std::string& name) {
  const auto found = std::ranges::find(metrics, name, &Metrics::value_type::first);
  return found == metrics.end() ? std::nullopt : std::optional(found->second);
}

/// Each metric and its baseline, over the folds that have both, and the interval of their difference. (Ranking figures
/// are missing in a fold where no user has both a wanted and an unwanted item.)
void emit_folds(const std::vector<Looped::Measured>& folds, const Context& context) {
  nlohmann::ordered_json line{{"folds", folds.size()}};
  const auto most = std::ranges::max_element(folds, {}, [](const auto& fold) { return fold.figures.metrics.size(); });
  for (const auto& [metric, unused] : most->figures.metrics) {
    std::vector<double> own, baseline;
    for (const Looped::Measured& fold : folds) {
      const auto value = value_of(fold.figures.metrics, metric);
      const auto beside = value_of(fold.figures.baselines.front().second, metric);
      if (!value || !beside) continue;
      own.push_back(*value);
      baseline.push_back(*beside);
    }
    if (own.size() < 2) continue;
    const auto mean = [](const std::vector<double>& values) {
      return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    };
    const PairedDifference more = paired_difference(own, baseline);
    line[metric] = mean(own);
    line["baseline"][metric] = mean(baseline);
    line["difference"][metric] = {{"mean", more.mean}, {"low", more.low}, {"high", more.high}, {"folds", own.size()}};
    const std::string of = own.size() < folds.size() ? fmt::format(" ({} of the folds)", own.size()) : "";
    if (!context.json)
      emit("{:<18}{}, baseline {}: {:+.4f}, by 95 % from {:+.4f} to {:+.4f}{}\n", metric, figure(mean(own)),
           figure(mean(baseline)), more.mean, more.low, more.high, of);
  }
  if (context.json) emit_line_of(line);
}

int over_folds(const LoopedRow& row, std::int64_t count, const NamedTree& named, const Context& context) {
  std::vector<Looped::Measured> folds;
  for (std::int64_t fold = 0; fold < count; ++fold) {
    auto config = row.config();
    read_loop_config(*config, named.tree, named.folder, context.registry);
    if (!config->take_fold(fold, count))
      fail<UsageError>("[cv] {} have no rows that could be divided into folds", row.kind);
    const auto system = row.begin(*config, context.registry);
    const Optimizer optimizer = config->make_optimizer(context.registry);
    const std::int64_t total = config->epochs * system->steps_in_epoch();
    while (system->steps < total) (void)take_step(*system, optimizer, total);
    folds.push_back(*system->measure(""));
    if (!context.quiet && !context.json)
      print_metrics(fmt::format("fold {}", fold + 1), folds.back().figures.metrics, folds.back().note,
                    folds.back().figures.baselines);
  }
  emit_folds(folds, context);
  return 0;
}

}  // namespace

void Looped::save(const fs::path& path, const std::string& fingerprint) const {
  SafetensorsFile file;
  write(file);
  file.tensors.emplace_back("progress", Tensor::of({static_cast<double>(steps), epoch_loss, epoch_weight}));
  file.metadata["fingerprint"] = fingerprint;
  write_safetensors(path, file);
}

void Looped::restore(const fs::path& path, const std::optional<std::string>& fingerprint) {
  SafetensorsFile file = read_safetensors(path);
  const auto changed = differences(options_in(file.metadata["fingerprint"]), options_in(fingerprint.value_or("")));
  if (fingerprint && !changed.empty())
    fail<UsageError>("[resume] the configuration is not that of {}: {}", path.string(), fmt::join(changed, "; "));
  const Tensor& progress = file.tensor("progress");
  if (progress.dtype() != f64 || progress.size() != 3 || !(progress.at(0) >= 0))
    fail<ModelError>("[model] {} does not say how far it was trained", path.string());
  read(file);
  steps = static_cast<std::int64_t>(progress.at(0));
  epoch_loss = progress.at(1);
  epoch_weight = progress.at(2);
}

std::vector<std::string> looped_kinds() {
  std::vector<std::string> kinds;
  for (const LoopedRow& row : looped_rows()) kinds.emplace_back(row.kind);
  return kinds;
}

const LoopedRow* looped_row(const ConfigTree& tree) {
  const OptionValue* kind = tree.find("system.kind");
  const auto* name = kind ? kind->get_if<std::string>() : nullptr;
  const auto found =
      std::ranges::find_if(looped_rows(), [&](const LoopedRow& row) { return name && row.kind == *name; });
  return found == looped_rows().end() ? nullptr : &*found;
}

void refuse_own_loop(const ConfigTree& tree) {
  const LoopedRow* const row = looped_row(tree);
  if (row || is_text_classifier(tree))
    fail<UsageError>("[system] {} has a training loop of its own, which only thalweg train runs.",
                     row ? row->kind : TextClassifierConfig::kind);
}

int train_looped(const LoopedRow& row, const TrainArguments& arguments, const NamedTree& named,
                 const Context& context) {
  auto config = row.config();
  read_loop_config(*config, named.tree, named.folder, context.registry);
  if (arguments.print_config) {
    emit(config->toml());
    return 0;
  }
  if (arguments.dry_run || arguments.online || !named.variants.empty())
    fail<UsageError>("[{}] it does not take --dry-run, --online or variants", row.kind);
  if (arguments.folds > 0 && (arguments.resume || arguments.stop_after > 0))
    fail<UsageError>("[{}] --cv takes neither --resume nor --stop-after, because it saves no state", row.kind);
  if (arguments.folds > 0) return over_folds(row, arguments.folds, named, context);
  LoopRun run = start(row, std::move(config), arguments, named, context);
  return train(run, arguments, context);
}

const LoopedRow* looped_run(const std::string& path) {
  const fs::path config = fs::path(path) / "config.toml";
  return fs::exists(config) ? looped_row(read_toml(config)) : nullptr;
}

TrainedLoop trained_loop(const LoopedRow& row, const fs::path& folder, const Registry& registry) {
  auto config = row.config();
  read_loop_config(*config, read_toml(folder / "config.toml"), folder, registry);
  const fs::path file = folder / "model.safetensors";
  if (!fs::exists(file)) fail<ModelError>("[{}] {} has no model. Hint: {}", row.kind, folder.string(), way_on(folder));
  auto system = row.load(*config, file, registry);
  return {row, std::move(config), std::move(system)};
}

int evaluate_looped(const LoopedRow& row, const fs::path& folder, const std::string& place, const Context& context) {
  const TrainedLoop trained = trained_loop(row, folder, context.registry);
  const auto measured = trained.system->measure(place);
  if (!measured) fail<UsageError>("[evaluate] {} has no test data. Hint: --data PLACE.", folder.string());
  if (context.json) {
    nlohmann::ordered_json line{{"data", place.empty() ? "test" : as_utf8(place)}};
    add_measured(line, *measured);
    emit_line_of(line);
  } else {
    print_metrics(place.empty() ? "test" : place, measured->figures.metrics, measured->note,
                  measured->figures.baselines);
  }
  return 0;
}

int report_looped(const LoopedRow& row, const fs::path& folder, const Context& context) {
  const TrainedLoop trained = trained_loop(row, folder, context.registry);
  finish(folder, *trained.config, *trained.system, MetricsLog(folder / "metrics.jsonl").history(), context);
  return 0;
}

}  // namespace thalweg::cli
