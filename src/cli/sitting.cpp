#include "cli/sitting.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "insight/gradient_flow.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t most_shown = 12;  // the number of moments of a run

}  // namespace

Sitting::Sitting(const RunFolder& folder, ProgressStyle style, std::int64_t epochs)
    : log_(folder.metrics()),
      media_(folder.path()),
      progress_(style, epochs),
      seconds_before_(log_.history().seconds),
      epochs_(epochs) {}

double Sitting::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void Sitting::go_on_after(std::int64_t step) {
  log_.cut_after(step);
  media_.cut_after(step);
  const History before = log_.history();
  last_step_ = step;
  if (!before.steps.empty()) first_norm_ = before.steps.front().gradient_norm;
  const bool counts_epochs = !before.steps.empty();  // a loop of the program has only steps
  if (counts_epochs && !before.epochs.empty()) epoch_ = before.epochs.back().epoch;
}

void Sitting::begin_at(std::int64_t step) {
  if (std::exchange(first_, false)) go_on_after(step - 1);
}

void Sitting::set_epochs(std::int64_t epochs) {
  epochs_ = epochs;
  progress_.set_epochs(epochs);
}

void Sitting::turn(EpochReport report) {
  begin_at(report.step);
  report.seconds = seconds();
  log_.add(report);
  progress_.step({.step = report.step, .metrics = report.metrics});
  progress_.epoch(report);
  last_step_ = report.step;
}

void Sitting::step(const StepReport& report) {
  begin_at(report.step);
  if (first_norm_ == 0) first_norm_ = report.gradient_norm;
  const bool explodes = report.gradient_norm > flow_rule::exploding * first_norm_;
  if (logs(report.step, report.total_steps) || explodes) log_.add(report, layers_, seconds());
  progress_.step(report);
  last_step_ = report.step;
  total_steps_ = report.total_steps;
}

void Sitting::epoch(EpochReport report) {
  report.seconds = seconds();
  log_.add(report);
  progress_.epoch(report);
  epoch_ = report.epoch;
  if (show_ && is_shown(report)) show_now(show_());
}

bool Sitting::is_shown(const EpochReport& report) const {
  if (epochs_ <= most_shown || report.epoch == 1 || report.step == total_steps_) return true;
  return report.epoch * most_shown / epochs_ != (report.epoch - 1) * most_shown / epochs_;
}

void Sitting::show_now(NamedMedia media) {
  if (first_ && last_step_ > 0)
    std::erase_if(media, [&](const auto& shown) { return media_.has(shown.first, shown.second); });
  media_.add(epoch_, last_step_, media);
}

FitOptions Sitting::watched(FitOptions options, std::vector<std::string> layers) {
  layers_ = std::move(layers);
  restores_best_ = !options.early_stopping || options.early_stopping->restore_best;
  options.reports = std::numeric_limits<std::int64_t>::max();  // the verdict looks at every step of this sitting
  options.on_step = [this, told = std::move(options.on_step)](const StepReport& report) {
    step(report);
    if (told) told(report);
  };
  options.on_epoch = [this, told = std::move(options.on_epoch)](const EpochReport& report) {
    epoch(report);
    if (told) told(report);
  };
  options.stop = [this, asked = std::move(options.stop)] { return signal() != 0 || asked.stop_requested(); };
  return options;
}

void Sitting::end() {
  progress_.finish();
  if (last_step_ > 0) log_.add_time(last_step_, seconds());
}

History Sitting::logged() const {
  History logged = log_.history();
  logged.best_restored = restores_best_;
  return logged;
}

History Sitting::whole(History last) const {
  History whole = log_.history();
  const std::int64_t first = last.steps.empty() ? 0 : last.steps.front().step;
  if (first > 0) std::erase_if(whole.steps, [&](const StepReport& report) { return report.step >= first; });
  whole.steps.insert(whole.steps.end(), last.steps.begin(), last.steps.end());
  whole.layers = std::move(last.layers);
  whole.reason = last.reason;
  whole.best_epoch = last.best_epoch;
  whole.best_restored = last.best_restored;
  whole.seconds = seconds();
  whole.warnings = std::move(last.warnings);
  return whole;
}

}  // namespace thalweg::cli
