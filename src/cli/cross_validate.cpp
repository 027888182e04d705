// `thalweg train --cv K`: k trainings, each tested on the fold it did not see; mean and deviation of every metric.

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/find_lr.hpp"
#include "cli/outcome.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"

namespace thalweg::cli {

namespace {

struct Spread {
  std::string metric;
  double mean = 0, deviation = 0;
};

/// Mean and standard deviation (of a sample) of each metric.
std::vector<Spread> spread_of(const std::vector<Metrics>& folds) {
  std::vector<Spread> result;
  const auto count = static_cast<double>(folds.size());
  for (std::size_t i = 0; i < folds.front().size(); ++i) {
    Spread spread{folds.front()[i].first};
    for (const Metrics& fold : folds) spread.mean += fold[i].second / count;
    for (const Metrics& fold : folds) spread.deviation += std::pow(fold[i].second - spread.mean, 2) / (count - 1);
    spread.deviation = std::sqrt(spread.deviation);
    result.push_back(spread);
  }
  return result;
}

Metrics train_fold(const Config& config, const DataFacts& facts, Parts parts, const Context& context) {
  Session session = make_session(config, facts, std::move(parts), context.registry);
  ProgressLine progress(progress_style(context.quiet, false), config.train.epochs);
  FitOptions options = config.fit_options();
  options.validation_data = session.parts.validation;
  options.on_step = [&](const StepReport& report) { progress.step(report); };
  options.on_epoch = [&](const EpochReport& report) { progress.epoch(report); };
  session.trainer.fit(session.parts.train, options);
  progress.finish();
  return session.trainer.evaluate(*session.parts.test).metrics;
}

}  // namespace

int cross_validate(const LoadedConfig& loaded, std::int64_t folds, const Context& context) {
  std::vector<Metrics> measured;
  for (Parts& parts : loaded.source.folds(folds, loaded.config.seed)) {
    Config config = loaded.config;  // each fold finds its own rate, where it is to be found
    if (const int signal = resolve_lr(config, loaded.source.facts(), parts, context)) return 128 + signal;
    measured.push_back(train_fold(config, loaded.source.facts(), std::move(parts), context));
    if (!context.json) print_metrics(fmt::format("fold {}", measured.size()), measured.back());
  }
  nlohmann::ordered_json result{{"folds", folds}};
  for (const Spread& spread : spread_of(measured)) {
    result[spread.metric] = {{"mean", spread.mean}, {"deviation", spread.deviation}};
    if (!context.json) {
      emit("{:<12}{} ± {} over {} folds\n", spread.metric, figure(spread.mean), figure(spread.deviation), folds);
    }
  }
  if (context.json) emit_line_of(result);
  return 0;
}

}  // namespace thalweg::cli
