// `thalweg train --cv K`: k trainings, each tested on the fold it did not see; mean and deviation of every metric, and
// the predictions of every row by the training that did not see it.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/device.hpp"
#include "cli/find_lr.hpp"
#include "cli/outcome.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "core/counted.hpp"
#include "core/escape.hpp"
#include "data/csv.hpp"
#include "insight/course.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

struct Spread {
  std::string metric;
  double mean = 0, deviation = 0;
  std::size_t folds = 0;  ///< the number of folds with this metric: a fold with one class has no AUC
};

/// The mean and the sample standard deviation of each metric.
std::vector<Spread> spread_of(const std::vector<Metrics>& folds) {
  std::vector<Spread> result;
  for (std::size_t i = 0; i < folds.front().size(); ++i) {
    Spread spread{folds.front()[i].first};
    std::vector<double> values;
    for (const Metrics& fold : folds) {
      if (!std::isnan(fold[i].second)) values.push_back(fold[i].second);
    }
    spread.folds = values.size();
    const auto count = static_cast<double>(values.size());
    for (const double value : values) spread.mean += value;
    spread.mean /= count;
    for (const double value : values) spread.deviation += std::pow(value - spread.mean, 2);
    spread.deviation = count > 1 ? std::sqrt(spread.deviation / (count - 1)) : std::nan("");
    result.push_back(spread);
  }
  return result;
}

/// The metrics of the baselines, each averaged over the folds that have it. If the most frequent class differs between
/// folds, the baseline that always predicts it is called "constant".
std::vector<NamedMetrics> means_of(const std::vector<std::vector<NamedMetrics>>& folds) {
  std::vector<NamedMetrics> means;
  for (std::size_t baseline = 0; baseline < folds.front().size(); ++baseline) {
    std::vector<Metrics> measured;
    std::string name = folds.front()[baseline].first;
    for (const auto& fold : folds) {
      if (fold.size() != folds.front().size()) return {};
      if (fold[baseline].first != name) name = "constant";
      measured.push_back(fold[baseline].second);
    }
    means.emplace_back(std::move(name), Metrics{});
    for (const Spread& spread : spread_of(measured)) means.back().second.emplace_back(spread.metric, spread.mean);
  }
  return means;
}

/// " (always no: 0.72, linear: 0.81)": a metric of the baselines.
std::string beside(const std::string& metric, const std::vector<NamedMetrics>& baselines) {
  std::vector<std::string> all;
  for (const auto& [name, metrics] : baselines) {
    const auto value = find_in(metrics, metric);
    if (value) all.push_back(fmt::format("{}: {}", name, figure(*value)));
  }
  return all.empty() ? "" : fmt::format(" ({})", fmt::join(all, ", "));
}

Evaluation train_fold(const Config& config, Session& session, const Context& context) {
  ProgressLine progress(progress_style(context.quiet, false), config.train.epochs);
  FitOptions options = config.fit_options();
  options.validation_data = session.parts.validation;
  options.on_step = [&](const StepReport& report) { progress.step(report); };
  options.on_epoch = [&](const EpochReport& report) { progress.epoch(report); };
  session.trainer.fit(session.parts.train, options);
  progress.finish();
  return session.trainer.evaluate(*session.parts.test);
}

/// A name for one more column that no column has yet.
std::string unused_name(std::string name, const std::vector<std::string>& taken) {
  while (std::ranges::find(taken, name) != taken.end()) name += "_";
  return name;
}

/// The predictions of every row by the training that did not see it, in the order of the file.
class OutOfFold {
 public:
  void add(const Session& session, const Evaluation& evaluation, std::size_t fold) {
    const Recipe& recipe = session.recipe;
    const Dataset& data = *session.parts.test;
    const Tensor &predictions = evaluation.predictions, &target = data["target"];
    const auto& [places, targets] = session.parts.test_origin;
    const auto rows = std::ssize(places);
    const bool numbers = recipe.preprocessing.task() == data::Task::regression;
    const std::int64_t width = rows == 0 ? 0 : predictions.size() / rows;
    if (rows != data.rows() || target.size() != rows || (numbers && width != 1)) return;
    const std::vector<std::string> classes = numbers ? std::vector<std::string>{} : class_names(recipe);
    if (header_.empty()) set_header(recipe, classes, width > std::max<std::int64_t>(1, recipe.outputs) ? "score" : "p");
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      std::vector<std::string> cells = {std::to_string(places[at]), std::to_string(fold)};
      if (numbers) {
        cells.push_back(
            fmt::format("{}", targets.empty() ? data.unit().shift + data.unit().scale * target.at(row) : targets[at]));
        cells.push_back(fmt::format("{}", predictions.at(row)));
      } else {
        std::vector<double> p;
        for (std::int64_t c = 0; c < width; ++c) p.push_back(predictions.at(row * width + c));
        if (width == 1) p.insert(p.begin(), 1 - p[0]);
        cells.push_back(classes[static_cast<std::size_t>(target.at(row))]);
        cells.push_back(classes[static_cast<std::size_t>(std::ranges::max_element(p) - p.begin())]);
        for (const double value : p) cells.push_back(fmt::format("{}", static_cast<float>(value)));
      }
      rows_.emplace_back(places[at], std::move(cells));
    }
  }

  /// Empty for data whose rows do not have a single number or class each.
  [[nodiscard]] std::string csv() {
    if (header_.empty()) return {};
    std::ranges::stable_sort(rows_, {}, &decltype(rows_)::value_type::first);
    std::string text = line(header_);
    for (const auto& [place, cells] : rows_) text += line(cells);
    return text;
  }

 private:
  void set_header(const Recipe& recipe, const std::vector<std::string>& classes, const std::string& known) {
    const auto* table = recipe.preprocessing.table();
    const std::string target = table ? table->schema().target : "target";
    header_ = {table ? "line" : "image", "fold"};
    for (const std::string& name : {target, std::string("predicted")}) header_.push_back(unused_name(name, header_));
    for (const std::string& name : classes) header_.push_back(unused_name(known + "(" + name + ")", header_));
  }
  static std::string line(const std::vector<std::string>& cells) {
    return data::csv_line(std::vector<std::string_view>(cells.begin(), cells.end()));
  }

  std::vector<std::string> header_;
  std::vector<std::pair<std::int64_t, std::vector<std::string>>> rows_;
};

std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

nlohmann::ordered_json as_json(const Metrics& metrics) {
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  for (const auto& [name, value] : metrics) result[name] = value;
  return result;
}

}  // namespace

int cross_validate(const LoadedConfig& loaded, std::int64_t folds, const std::filesystem::path& out,
                   const Context& context) {
  const DeviceInUse device(loaded.config);
  std::vector<Metrics> measured;
  std::vector<std::vector<NamedMetrics>> beaten;
  OutOfFold predictions;
  nlohmann::ordered_json each = nlohmann::ordered_json::array();
  std::set<std::string> warned;  // folds warn of the same things, with other counts
  for (Parts& parts : loaded.source.folds(folds, loaded.config.seed)) {
    Config config = loaded.config;  // with lr = "auto" each fold finds its own rate
    if (const int signal = resolve_lr(config, loaded.source.facts(), parts, context)) return 128 + signal;
    Session session = make_session(config, loaded.source.facts(), std::move(parts), context.registry);
    for (const std::string& warning : session.parts.warnings) {
      if (!warned.insert(without_digits(warning)).second || context.quiet) continue;
      say("warning: fold {}: {}\n", measured.size() + 1, warning);
    }
    const Evaluation evaluation = train_fold(config, session, context);
    measured.push_back(evaluation.metrics);
    beaten.push_back(
        metrics_of(shown_baselines(session, config, context.registry), session.recipe, *session.parts.test));
    each.push_back(as_json(evaluation.metrics));
    predictions.add(session, evaluation, measured.size());
    if (!context.json) print_metrics(fmt::format("fold {}", measured.size()), measured.back());
  }
  nlohmann::ordered_json result{{"folds", folds}};
  const std::vector<NamedMetrics> baselines = means_of(beaten);
  for (const Spread& spread : spread_of(measured)) {
    const auto own = static_cast<std::int64_t>(spread.folds);
    result[spread.metric] = {{"mean", spread.mean}, {"deviation", spread.deviation}};
    if (own < folds) result[spread.metric]["folds"] = own;
    if (!context.json) {
      const std::string of = own < folds ? fmt::format("{} of {} folds", own, folds) : counted(folds, "folds");
      emit("{:<12}{}{}\n", spread.metric,
           own == 0 ? fmt::format("- in each of {}", counted(folds, "folds"))
                    : fmt::format("{} ± {} over {}", figure(spread.mean), figure(spread.deviation), of),
           own == 0 ? "" : beside(spread.metric, baselines));
    }
  }
  for (const auto& [name, metrics] : baselines) result["baselines"][name] = as_json(metrics);
  const RunFolder folder = RunFolder::create(out);
  write_atomically(folder.config(), loaded.config.toml());
  write_atomically(folder.path() / "folds.json",
                   nlohmann::ordered_json{{"folds", each}, {"spread", result}}.dump(1) + "\n");
  const std::string rows = predictions.csv();
  if (!rows.empty()) write_atomically(folder.path() / "predictions.csv", rows);
  result["run"] = as_utf8(folder.path().string());
  if (context.json) {
    emit_line_of(result);
  } else {
    emit("{:<12}{}\n", "folds", shown((folder.path() / "folds.json").string()));
    if (!rows.empty()) emit("{:<12}{}\n", "predicted", shown((folder.path() / "predictions.csv").string()));
  }
  return 0;
}

}  // namespace thalweg::cli
