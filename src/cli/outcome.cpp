#include "cli/outcome.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "core/workers.hpp"
#include "data/pictures.hpp"
#include "report/report.hpp"
#include "store/atomic_file.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

/// The figures of a run on one part of its data.
struct Measured {
  std::string name;
  const Dataset* data;
  Evaluation evaluation;
};

std::vector<Measured> measure(Session& session) {
  std::vector<Measured> all;
  const auto add = [&](const char* name, const std::optional<Dataset>& data) {
    if (data) all.push_back({name, &*data, session.trainer.evaluate(*data)});
  };
  add("validation", session.parts.validation);
  add("test", session.parts.test);
  return all;
}

Tensor labels_of(const Dataset& data) { return data["target"].reshape({data.rows()}).to(i32); }

std::vector<std::string> class_names(const Recipe& recipe) {
  std::vector<std::string> names = recipe.preprocessing.classes();
  for (auto c = static_cast<std::int64_t>(names.size()); c < recipe.outputs; ++c) names.push_back(std::to_string(c));
  return names;
}

/// The first of the images, one a column. Their range is [0, 1].
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
  report.evaluated_on = fmt::format("{}, {} {}", measured.name, with_commas(measured.evaluation.rows),
                                    rows_name(session.recipe.preprocessing));
  if (session.recipe.preprocessing.text()) return;
  const Tensor& predictions = measured.evaluation.predictions;
  const auto* table = session.recipe.preprocessing.table();
  if (session.recipe.preprocessing.task() != data::Task::regression) {
    report.confusion = confusion_matrix(predictions, labels_of(*measured.data), class_names(session.recipe));
    return;
  }
  if (session.recipe.preprocessing.tensor()) return add_pictures(report, measured);
  PredictedAgainstTrue plot;
  plot.target = table ? table->schema().target : "target";
  const Tensor& truth = (*measured.data)["target"];
  for (std::int64_t i = 0; i < predictions.size(); ++i) {
    plot.predicted.push_back(predictions.at(i));
    plot.truth.push_back(table ? table->target().inverse(truth.at(i)) : truth.at(i));
  }
  report.predictions = std::move(plot);
}

/// What is read first: one metric of each part, the last measured in front, and what it cost.
std::vector<ReportTile> headline(const Session& session, const std::vector<Measured>& measured,
                                 const History& history) {
  std::vector<ReportTile> tiles;
  for (auto one = measured.rbegin(); one != measured.rend(); ++one) {
    const Metrics& metrics = one->evaluation.metrics;
    const auto& [metric, value] = metrics[metrics.size() > 1 ? 1 : 0];  // the loss is the first
    tiles.push_back({one->name + " " + metric, figure(value),
                     fmt::format("{} {}", with_commas(one->evaluation.rows), rows_name(session.recipe.preprocessing))});
  }
  const std::int64_t epochs = history.epochs.empty() ? 0 : history.epochs.back().epoch;
  const State& state = session.trainer.state();
  tiles.push_back({"training", duration_text(history.seconds),
                   fmt::format("{} epochs, {} steps", epochs, with_commas(state.step))});
  tiles.push_back({"parameters", with_commas(state.layout->size)});
  return tiles;
}

void write_report(const Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                  const std::vector<Measured>& measured, const History& history, const Verdict& verdict) {
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
  if (!measured.empty()) add_predictions(report, session, measured.back());
  write_atomically(folder.report(), report_html(report));
}

std::string next_step(const Session& session, const RunFolder& folder) {
  const std::string run = shell_quoted(folder.path().string());
  if (session.recipe.preprocessing.text()) return fmt::format("thalweg generate {} --prompt \"...\"", run);
  return session.recipe.preprocessing.table() ? fmt::format("thalweg predict {} < new.csv > predicted.csv", run)
                                              : fmt::format("thalweg evaluate {}", run);
}

void emit_lines(const Verdict& verdict) {
  emit("{:<12}{}\n", "verdict", verdict.sentence);
  if (!verdict.advice.empty()) emit("{:<12}{}\n", "to improve", verdict.advice);
}

Json verdict_json(const Verdict& verdict) {
  Json result{{"kind", name(verdict.kind)}, {"sentence", verdict.sentence}, {"advice", verdict.advice}};
  for (const Evidence& e : verdict.evidence) result["evidence"][e.name] = e.value;
  return result;
}

void emit_text(const Session& session, const RunFolder& folder, const std::vector<Measured>& measured,
               const History& history, const Verdict& verdict) {
  for (const Measured& one : measured) {
    print_metrics(one.name, one.evaluation.metrics,
                  fmt::format("{} {}", with_commas(one.evaluation.rows), rows_name(session.recipe.preprocessing)));
  }
  const std::int64_t epochs = history.epochs.empty() ? 0 : history.epochs.back().epoch;
  emit("{:<12}{}, {} epochs, {} steps\n", "time", duration_text(history.seconds), epochs,
       with_commas(session.trainer.state().step));
  if (history.best_epoch > 0 && history.best_epoch < epochs) {
    emit("{:<12}epoch {}, which the model was put back to\n", "best", history.best_epoch);
  }
  emit_lines(verdict);
  emit("{:<12}{}\n", "run", shown(folder.path().string()));
  emit("{:<12}{}\n", "report", shown(folder.report().string()));
  emit("{:<12}{}\n", "next", next_step(session, folder));
}

void emit_json(const Session& session, const RunFolder& folder, const std::vector<Measured>& measured,
               const History& history, const Verdict& verdict) {
  Json result{{"run", as_utf8(folder.path().string())},
              {"report", as_utf8(folder.report().string())},
              {"seconds", history.seconds},
              {"steps", session.trainer.state().step},
              {"best_epoch", history.best_epoch},
              {"stopped_early", history.reason == StopReason::stopped_early}};
  for (const Measured& one : measured) {
    for (const auto& [metric, value] : one.evaluation.metrics) result[one.name][metric] = value;
  }
  result["verdict"] = verdict_json(verdict);
  emit_line_of(result);
}

}  // namespace

void emit_verdict(const Verdict& verdict, const RunFolder& folder, const Context& context) {
  if (context.json) {
    emit_line_of(Json{{"run", as_utf8(folder.path().string())}, {"verdict", verdict_json(verdict)}});
  } else {
    for (const Evidence& e : verdict.evidence) emit("{:<12}{}\n", "evidence", e.sentence);
    emit_lines(verdict);
  }
}

void finish_run(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                const History& history, const Context& context) {
  const std::vector<Measured> measured = measure(session);
  const Verdict verdict = judge(history);
  write_report(session, config, name, folder, measured, history, verdict);
  // last: a folder with a model in it is a run that has finished
  save_model(folder.model(), session.recipe, session.trainer.state());
  if (context.json) {
    emit_json(session, folder, measured, history, verdict);
  } else {
    emit_text(session, folder, measured, history, verdict);
  }
}

}  // namespace thalweg::cli
