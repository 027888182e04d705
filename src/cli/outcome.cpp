#include "cli/outcome.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/by_rows.hpp"
#include "cli/end_of_run.hpp"
#include "cli/output.hpp"
#include "cli/verdicts.hpp"
#include "cli/worst_rows.hpp"
#include "core/counted.hpp"
#include "core/free_memory.hpp"
#include "core/numbers.hpp"
#include "core/workers.hpp"
#include "data/pictures.hpp"
#include "device/device.hpp"
#include "insight/attempts.hpp"
#include "optim/asks.hpp"
#include "report/report.hpp"
#include "run/media_log.hpp"
#include "store/atomic_file.hpp"
#include "store/checkpoint.hpp"
#include "thalweg/metrics.hpp"
#include "tiles/micro_ops.hpp"
#include "train/baseline.hpp"
#include "train/evaluation.hpp"
#include "train/importance.hpp"
#include "train/nearest.hpp"
#include "train/trials.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Measured> measure(Session& session, const std::vector<Baseline>& baselines, const Registry& registry) {
  std::vector<Measured> all;
  const auto add = [&](const char* name, const std::optional<Dataset>& data) {
    if (!data) return;
    all.push_back({name, &*data, session.trainer.evaluate(*data), metrics_of(baselines, session.recipe, *data)});
    if (!session.system && data->has("target"))
      all.back().weights = weights_on(session.recipe.make_loss(registry), *data);
    if (baselines.empty() || all.back().weights) return;  // the nearest neighbour gives every row the same weight
    if (const auto nearest = nearest_neighbour_accuracy(session.parts.train, *data))
      all.back().baselines.push_back({"nearest neighbour", {{"accuracy", *nearest}}});
  };
  add("validation", session.parts.validation);
  add("test", session.parts.test);
  return all;
}

Confusion confusion_in(const Measured& measured) {
  return confusion_on(measured.evaluation.predictions, *measured.data, measured.weights);
}

/// The first images, one per column. Their values are in [0, 1].
PictureRow picture_row(std::string label, const Tensor& images) {
  constexpr std::int64_t most = 10;
  PictureRow row{std::move(label), {}};
  for (std::int64_t i = 0; i < std::min(most, images.shape()[0]); ++i) {
    const Tensor image = images.rows(i, i + 1);
    Tensor bytes(Shape(image.shape().sizes().subspan(1)), u8);
    for (std::int64_t k = 0; k < bytes.size(); ++k) bytes.set(k, std::round(255 * std::clamp(image.at(k), 0.0, 1.0)));
    row.pngs.push_back(data::png_of(bytes));
  }
  return row;
}

void add_pictures(ReportData& report, const Measured& measured) {
  const Shape& shape = (*measured.data)["target"].shape();
  if (shape.rank() != 4 || (shape[3] != 1 && shape[3] != 3)) return;
  report.pictures = {picture_row("noisy", (*measured.data)["input"]),
                     picture_row("denoised", measured.evaluation.predictions.reshape(shape)),
                     picture_row("clean", (*measured.data)["target"])};
}

void add_predictions(ReportData& report, const Session& session, const Measured& measured) {
  report.evaluation = measured.evaluation.metrics;
  report.baselines = measured.baselines;
  report.evaluated_on = measured.name + ", " + measured.note(session.recipe);
  if (session.system || session.recipe.preprocessing.text()) return;
  const Tensor& predictions = measured.evaluation.predictions;
  const auto* table = session.recipe.preprocessing.table();
  if (session.recipe.preprocessing.task() != data::Task::regression) {
    report.confusion = {class_names(session.recipe), confusion_in(measured)};
    return;
  }
  if (session.recipe.preprocessing.tensor()) return add_pictures(report, measured);
  PredictedAgainstTrue plot;
  plot.target = table ? table->schema().target : "target";
  const Tensor& truth = (*measured.data)["target"];
  const std::vector<double>& targets = origin_of(session, measured).targets;
  for (std::int64_t i = 0; i < predictions.size(); ++i) {
    plot.predicted.push_back(predictions.at(i));
    plot.truth.push_back(i < std::ssize(targets) ? targets[static_cast<std::size_t>(i)] : truth.at(i));
  }
  report.predictions = std::move(plot);
}

/// Adds the importance of the features of a table to its report, and the worst rows of a table or of images.
void add_explanations(ReportData& report, Session& session, const Measured& measured, const Config& config,
                      const Registry& registry) {
  if (session.system) return;
  report.worst = worst_rows(
      session, {origin_of(session, measured), *measured.data, measured.evaluation.predictions, measured.weights},
      config, registry);
  const auto* table = session.recipe.preprocessing.table();
  if (!table) return;
  const auto loss = [&](const Dataset& rows) { return session.trainer.evaluate(rows)["loss"]; };
  for (const auto& [feature, rise] : permutation_importance(*table, *measured.data, loss))
    report.importance.emplace_back(feature, rise);
  const std::int64_t rows = importance_rows(*table, *measured.data), all = measured.data->rows();
  if (rows < all) report.importance_rows = with_commas(rows) + " of " + with_commas(all);
}

/// The headline of a report: one metric for each part of the data, the last measured part first, and the time of the
/// run.
std::vector<ReportTile> headline(const Session& session, const std::vector<Measured>& measured,
                                 const History& history) {
  std::vector<ReportTile> tiles;
  for (auto one = measured.rbegin(); one != measured.rend(); ++one) {
    const Metrics& metrics = one->evaluation.metrics;
    const auto& [metric, value] = metrics[metrics.size() > 1 ? 1 : 0];  // the loss is the first metric
    tiles.push_back(
        {one->name + " " + metric, figure(value), counted(one->evaluation.rows, rows_name(session.recipe))});
  }
  const std::int64_t epochs = history.epochs.empty() ? 0 : history.epochs.back().epoch;
  const State& state = session.trainer.state();
  tiles.push_back(
      {"training", duration_text(history.seconds), counted(epochs, "epochs") + ", " + counted(state.step, "steps")});
  tiles.push_back({"parameters", with_commas(state.layout->parameters())});
  return tiles;
}

void write_report(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                  const std::vector<Measured>& measured, const History& history, const Verdict& verdict,
                  const Registry& registry) {
  ReportData report{
      .title = name,
      .subtitle = describe(config, session),
      .tiles = headline(session, measured, history),
      .verdict = verdict,
      .history = history,
      .parameters = session.trainer.state().layout->entries,
      .config = config.toml(),
      .environment = {{"version", THALWEG_VERSION},
                      {"threads", std::to_string(config.train.threads > 0 ? config.train.threads : default_threads())},
                      {"instruction set", std::string(instruction_set())}}};
  if (const std::string device = chosen_device().facts(); !device.empty())
    report.environment.emplace_back("device", device);
  if (!measured.empty()) {
    add_predictions(report, session, measured.back());
    add_explanations(report, session, measured.back(), config, registry);
  }
  report.media = MediaLog(folder.path()).series();
  report.objectives = session.objectives();
  report.looks = MetricsLog(folder.metrics()).looks();
  write_atomically(folder.report(), report_html(report));
}

MakeTrainer maker_of(const Session& session, const Config& config, const Registry& registry) {
  return [&](Optimizer optimizer) { return make_trainer(session, config, std::move(optimizer), registry); };
}

std::vector<Baseline> baselines_for(const Session& session, const Config& config, const Registry& registry) {
  if (session.system) return {};
  return baselines_of(session.recipe.make_loss(registry), session.recipe.outputs, session.parts.train, true,
                      config.train.threads);
}

bool is_linear(const Baseline& baseline) { return baseline.name == "linear"; }

/// The baselines for measurements. Classes that are balanced in training are not balanced there, so the constant to
/// compare with is that of the true class frequencies. Beside a linear model no linear fit is shown.
std::vector<Baseline> shown_of(std::vector<Baseline> baselines, const Session& session, const Config& config,
                               const Registry& registry) {
  if (config.model.kind == "linear") std::erase_if(baselines, is_linear);
  if (baselines.empty() || !session.parts.unbalanced) return baselines;
  std::vector<Baseline> shown = baselines_of(session.recipe.make_loss(registry), session.recipe.outputs,
                                             *session.parts.unbalanced, false, config.train.threads);
  std::ranges::copy_if(baselines, std::back_inserter(shown), is_linear);
  return shown;
}

/// The verdict on a run of a method that owns its steps: it has no rate, so advice about rates has no meaning. That the
/// method stopped by itself does not show what kind of point it reached.
Verdict judged_by_slope(const History& history, const std::string& method) {
  const StepReport &first = history.steps.front(), &last = history.steps.back();
  const bool ended = history.reason == StopReason::finished && last.step < last.total_steps;
  Verdict verdict;
  verdict.kind = ended ? VerdictKind::not_judged : VerdictKind::still_falling;
  verdict.sentence = fmt::format("{}: in {} of {} the loss went from {} to {}, and the gradient's norm from {} to {}.",
                                 ended ? "Stopped by itself, because it found no lower point"
                                 : history.reason == StopReason::finished ? "The steps are used up"
                                                                          : "Stopped before its end",
                                 counted(last.step, "steps"), method, figure(first.loss), figure(last.loss),
                                 number_text(first.gradient_norm, 3), number_text(last.gradient_norm, 3));
  if (ended) verdict.advice = "See what kind of point it is: thalweg inspect RUN --curvature.";
  if (!ended) verdict.advice = "Train for more epochs: each is one step.";
  if (const auto early = early_epoch(history); early && !ended) verdict.advice = *early;
  return verdict;
}

/// The verdict; its advice is tried on copies of the run.
Verdict judged(const Session& session, const Config& config, const History& history, JudgeOptions options,
               const Registry& registry) {
  options = with_session(std::move(options), session);
  if (options.makes_rows || options.objectives.size() > 1) {
    Verdict verdict = judge(history, options);
    if (!options.makes_rows && verdict.kind == VerdictKind::not_judged && session.system && session.system->evaluate)
      verdict.advice += " thalweg evaluate does so.";
    return verdict;
  }
  const Optimizer optimizer = config.make_optimizer(registry);
  if (owns_steps(optimizer) && options.failure.empty() && !history.steps.empty() &&
      (history.reason == StopReason::finished || history.reason == StopReason::stop_after))
    return judged_by_slope(history, optimizer.name);
  if (owns_steps(optimizer)) return judge(history, options);
  auto trials = trials_of(maker_of(session, config, registry), optimizer, session.parts.train, config.fit_options(),
                          session.trainer.state());
  if (trials && options.failure.empty()) trials->point = look_at_end(session, config, history, registry);
  if (trials) options.trials = &*trials;
  return judge(history, options);
}

std::string next_step(const Session& session, const RunFolder& folder) {
  const std::string run = shell_quoted(folder.path().string());
  if (!RunFolder::finished(folder.path())) return fmt::format("thalweg train {} --resume", run);
  if (session.system && session.system->generate)
    return fmt::format("thalweg generate {} {}", run,
                       session.recipe.preprocessing.sound() ? "--text \"...\"" : "--count 64");
  if (session.system) return fmt::format("thalweg evaluate {}", run);
  if (session.recipe.preprocessing.text()) return fmt::format("thalweg generate {} --prompt \"...\"", run);
  return session.recipe.preprocessing.table() ? fmt::format("thalweg predict {} < new.csv > predicted.csv", run)
                                              : fmt::format("thalweg evaluate {}", run);
}

void emit_text(const Session& session, const RunFolder& folder, const std::vector<Measured>& measured,
               const History& history, const Verdict& verdict) {
  for (const Measured& one : measured) {
    print_metrics(one.name, one.evaluation.metrics, one.note(session.recipe), one.baselines);
  }
  const data::Preprocessing& data = session.recipe.preprocessing;
  if (!session.system && !measured.empty() && !data.text() && data.task() != data::Task::regression) {
    print_confusion(confusion_in(measured.back()), class_names(session.recipe));
  }
  const std::int64_t epochs = history.epochs.empty() ? 0 : history.epochs.back().epoch;
  emit("{:<12}{}, {}, {}\n", "time", duration_text(history.seconds), counted(epochs, "epochs"),
       counted(session.trainer.state().step, "steps"));
  if (history.best_epoch > 0 && history.best_epoch < epochs) {
    emit("{:<12}epoch {}{}\n", "best", history.best_epoch,
         !RunFolder::finished(folder.path()) ? " so far"
         : history.best_restored             ? ", which was restored"
                                             : fmt::format("; the model is that of epoch {}", epochs));
  }
  emit_verdict(verdict);
  emit("{:<12}{}\n", "run", shown(folder.path().string()));
  emit("{:<12}{}\n", "report", shown(folder.report().string()));
  emit("{:<12}{}\n", "next", next_step(session, folder));
}

/// Prints everything but the paths.
Json json_of(const Session& session, const std::vector<Measured>& measured, const History& history,
             const Verdict& verdict) {
  const std::int64_t kept = kept_epoch(history), last = history.epochs.empty() ? 0 : history.epochs.back().epoch;
  Json result{{"seconds", history.seconds},
              {"steps", session.trainer.state().step},
              {"best_epoch", history.best_epoch},
              {"kept_epoch", kept > 0 ? kept : last},
              {"stopped_early", history.reason == StopReason::stopped_early}};
  for (const Measured& one : measured) {
    for (const auto& [metric, value] : one.evaluation.metrics) result[one.name][metric] = value;
    for (const auto& [name, metrics] : one.baselines) {
      for (const auto& [metric, value] : metrics) result["baselines"][one.name][name][metric] = value;
    }
  }
  result["verdict"] = verdict_json(verdict);
  return result;
}

void emit_json(const RunFolder& folder, const Json& outcome) {
  Json result{{"run", as_utf8(folder.path().string())}, {"report", as_utf8(folder.report().string())}};
  result.update(outcome);
  emit_line_of(result);
}

/// The name of the best constant. For classes it names the class that is always predicted.
std::string baseline_name(const Baseline& baseline, const Recipe& recipe, const Evaluation& evaluation) {
  if (baseline.name == "linear" || recipe.preprocessing.task() == data::Task::regression) return baseline.name;
  const Tensor& p = evaluation.predictions;
  const std::vector<std::string> names = class_names(recipe);
  std::int64_t best = p.shape()[1] == 1 && p.at(0) > 0.5 ? 1 : 0;  // any row will do, because all are equal
  for (std::int64_t c = 1; c < p.shape()[1]; ++c) best = p.at(c) > p.at(best) ? c : best;
  return "always " + shown(names[static_cast<std::size_t>(best)]);
}

/// The outcome of a run: its metrics with those of the baselines, in the form in which they are shown, and the verdict.
struct Outcome {
  std::vector<Baseline> baselines;
  std::vector<Measured> measured;
  Verdict verdict;
};

/// Adapts the advice to train longer to the end of the run: a stopped run only has to be resumed, and a run that early
/// stopping ended needs a longer patience.
void advise_by_end(Verdict& verdict, const History& history) {
  const bool wants_more = verdict.kind == VerdictKind::still_falling || verdict.kind == VerdictKind::too_short ||
                          verdict.kind == VerdictKind::still_rising || verdict.kind == VerdictKind::schedule_ended;
  const bool stopped = history.reason == StopReason::stop_after || history.reason == StopReason::stop_requested;
  if (stopped && (wants_more || verdict.kind == VerdictKind::not_judged))
    verdict.advice = "It was stopped before its end: resume it.";
  if (wants_more && history.reason == StopReason::stopped_early) verdict.advice = longer_patience(history);
}

/// Measures and judges, and writes the report.
Outcome outcome_of(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                   const History& history, const Registry& registry) {
  const std::vector<Baseline> baselines = baselines_for(session, config, registry);
  const JudgeOptions constants = constants_of(baselines, session);
  Outcome outcome{.baselines = shown_of(baselines, session, config, registry), .measured = {}, .verdict = {}};
  outcome.measured = measure(session, outcome.baselines, registry);
  renew_trainer(session, config, registry);
  outcome.verdict = judged(session, config, history, constants, registry);
  check_by_rows(outcome.verdict,
                {session, config, folder, history, constants, baselines, outcome.baselines, outcome.measured, registry},
                [&](JudgeOptions options) { return judged(session, config, history, std::move(options), registry); });
  advise_by_end(outcome.verdict, history);
  write_report(session, config, name, folder, outcome.measured, history, outcome.verdict, registry);
  save_outcome(folder, json_of(session, outcome.measured, history, outcome.verdict));
  return outcome;
}

void emit_outcome(const Session& session, const RunFolder& folder, const Outcome& outcome, const History& history,
                  const Context& context) {
  if (context.json) {
    emit_json(folder, json_of(session, outcome.measured, history, outcome.verdict));
  } else {
    emit_text(session, folder, outcome.measured, history, outcome.verdict);
  }
}

}  // namespace

namespace {

/// Compares the rate of a run that diverged with 2 / the largest eigenvalue before that: at its newest checkpoint, or
/// else at its start.
void add_stability(Verdict& verdict, const Session& session, const Config& config, const RunFolder& folder,
                   const History& history, const Registry& registry) {
  Trainer fresh = make_trainer(session, config, config.make_optimizer(registry), registry);
  fresh.init(session.parts.train.slice(0, 1), config.seed);
  State before = fresh.state();
  std::vector<std::string> damaged;
  auto checkpoint = newest_checkpoint(folder.checkpoints(), before, config.fingerprint(), damaged);
  if (checkpoint) before = std::move(checkpoint->state);
  const auto largest = largest_eigenvalue(session, config, before, registry);
  if (!largest || !(largest->value > 0) || history.steps.empty()) return;
  const double rate = history.steps.back().lr, bound = 2 / largest->value;
  verdict.evidence.push_back(
      {"rate_over_bound", rate / bound,
       fmt::format("{} 2 / the largest eigenvalue of the Hessian was {}; the rate was {}{}.",
                   before.step > 0 ? fmt::format("At step {}, before that,", before.step) : "At the start of the run,",
                   number_text(bound, 3), number_text(rate, 3),
                   config.optimizer.kind == "sgd" ? "" : ", for a method that scales each direction separately")});
}

}  // namespace

void emit_failure(Session& session, const Config& config, const RunFolder& folder, const History& history,
                  const JudgeOptions& failure, const Context& context) {
  renew_trainer(session, config, context.registry);
  Verdict verdict = judged(session, config, history, failure, context.registry);
  add_stability(verdict, session, config, folder, history, context.registry);
  write_report(session, config, folder.path().filename().string(), folder, {}, history, verdict, context.registry);
  save_outcome(folder, {{"verdict", verdict_json(verdict)}});
  emit_failed(folder, verdict, context.json);
}

std::vector<Baseline> shown_baselines(const Session& session, const Config& config, const Registry& registry) {
  return shown_of(baselines_for(session, config, registry), session, config, registry);
}

JudgeOptions constants_of(const std::vector<Baseline>& baselines, const Session& session) {
  JudgeOptions options;
  if (baselines.empty()) return options;
  options.constant_training = baselines.front().training_loss;
  if (session.parts.unbalanced) options.constant_name = "the best constant for balanced classes";
  if (session.parts.validation)
    options.constant_validation = baselines.front().trainer->evaluate(*session.parts.validation)["loss"];
  return options;
}

JudgeOptions with_session(JudgeOptions options, const Session& session) {
  options.objectives = session.objectives();
  if (session.system && session.system->own_rows) {
    options.makes_rows = true;
    options.goal = session.system->own_rows->goal;
  }
  if (session.system && !session.system->goal.empty()) {
    options.makes_rows = true;
    options.goal = session.system->goal;
  }
  return options;
}

std::vector<NamedMetrics> metrics_of(const std::vector<Baseline>& baselines, const Recipe& recipe,
                                     const Dataset& data) {
  std::vector<NamedMetrics> all;
  // the loss is compared with the best constant for the loss, the other metrics with the most frequent class
  const bool are_two = std::ranges::find(baselines, "commonest", &Baseline::name) != baselines.end();
  for (const Baseline& baseline : baselines) {
    const Evaluation evaluation = baseline.trainer->evaluate(data);
    std::string name = baseline_name(baseline, recipe, evaluation);
    Metrics metrics = evaluation.metrics;
    if (baseline.name == "commonest") metrics.erase(metrics.begin());
    if (are_two && baseline.name == "constant") {
      metrics.resize(1);
      name = "constant";
    }
    all.emplace_back(std::move(name), std::move(metrics));
  }
  return all;
}

void finish_run(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                const History& history, const Context& context) {
  return_free_memory();  // of the threads that read batches
  const Outcome outcome = outcome_of(session, config, name, folder, history, context.registry);
  if (!outcome.baselines.empty()) save_baselines(folder.baselines(), outcome.baselines);
  // written last, because a folder with a model counts as a finished run
  const State& state = session.trainer.state();
  if (session.system) {
    save_system(folder.model(), config.system, session.recipe.preprocessing, state);
  } else {
    save_model(folder.model(), session.recipe, state);
  }
  std::error_code none;
  std::filesystem::remove(folder.recipe(), none);  // the model has it
  emit_outcome(session, folder, outcome, history, context);
}

void report_again(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                  const History& history, const Context& context) {
  emit_outcome(session, folder, outcome_of(session, config, name, folder, history, context.registry), history, context);
}

}  // namespace thalweg::cli
