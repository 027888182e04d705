#include "insight/course.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace thalweg {

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double level_of(const Values& values, double from, double to) {
  const auto n = static_cast<double>(values.size());
  const auto end = std::max<std::size_t>(1, static_cast<std::size_t>(std::round(to * n)));
  const auto begin = std::min(static_cast<std::size_t>(std::round(from * n)), end - 1);
  return mean_of(std::span(values).subspan(begin, end - begin));
}

double noise_of(std::span<const double> values) {
  if (values.size() < 2) return 0;
  double rises = 0, falls = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double d = values[i] - values[i - 1];
    (d > 0 ? rises : falls) += d * d;
  }
  return std::sqrt(std::min(rises, falls) / static_cast<double>(values.size() - 1));
}

FittedLine fit_line(std::span<const double> x, std::span<const double> y) {
  const double mx = mean_of(x), my = mean_of(y);
  double xx = 0, xy = 0, residual = 0;
  for (std::size_t i = 0; i < x.size(); ++i) xx += (x[i] - mx) * (x[i] - mx), xy += (x[i] - mx) * (y[i] - my);
  if (xx == 0 || x.size() < 3) return {};
  const double slope = xy / xx;
  for (std::size_t i = 0; i < x.size(); ++i) residual += std::pow(y[i] - my - slope * (x[i] - mx), 2);
  return {slope, std::sqrt(residual / static_cast<double>(x.size() - 2) / xx)};
}

std::optional<double> find_in(const Metrics& metrics, std::string_view name) {
  const auto found = std::ranges::find(metrics, name, &Metrics::value_type::first);
  return found == metrics.end() ? std::nullopt : std::optional(found->second);
}

Values measured_of(const History& history, std::string_view metric) {
  Values values;
  for (const EpochReport& epoch : history.epochs) {
    if (const auto value = find_in(epoch.metrics, metric)) values.push_back(*value);
  }
  return values;
}

double Curve::at_half_time() const {
  const auto middle = std::ranges::lower_bound(time, time.back() / 2) - time.begin();
  const auto around = std::ssize(loss) / 20;
  const auto begin = std::max<std::ptrdiff_t>(0, middle - around);
  const auto end = std::min(std::ssize(loss), middle + around + 1);
  return mean_of(std::span(loss).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
}

namespace {

constexpr std::size_t most_stretches = 20;

/// The mean of each of 20 equal stretches, or the values themselves where there are fewer. On request without the
/// highest twentieth of each stretch, which is at least one value where a stretch has ten.
Values stretched(const Values& values, bool without_highest = false) {
  if (values.size() <= most_stretches) return values;
  Values means;
  for (std::size_t i = 0; i < most_stretches; ++i) {
    const std::size_t begin = i * values.size() / most_stretches, end = (i + 1) * values.size() / most_stretches;
    Values stretch(values.begin() + static_cast<std::ptrdiff_t>(begin),
                   values.begin() + static_cast<std::ptrdiff_t>(end));
    if (without_highest && stretch.size() >= 10) {
      std::ranges::sort(stretch);
      stretch.resize(stretch.size() - std::max<std::size_t>(1, stretch.size() / 20));
    }
    means.push_back(mean_of(stretch));
  }
  return means;
}

/// A metric of the epochs against the sum of the learning rates at their ends (or their number, where no steps were
/// kept).
Curve epoch_curve(const History& history, std::string_view metric, const Values& time) {
  Curve curve;
  for (const EpochReport& epoch : history.epochs) {
    const auto value = find_in(epoch.metrics, metric);
    if (!value) continue;
    const auto end = std::ranges::upper_bound(history.steps, epoch.step, {}, &StepReport::step);
    if (!history.steps.empty() && end == history.steps.begin()) continue;
    const bool known = !history.steps.empty();
    curve.loss.push_back(*value);
    curve.time.push_back(known ? time[static_cast<std::size_t>(end - history.steps.begin()) - 1]
                               : static_cast<double>(curve.loss.size()));
  }
  return curve;
}

}  // namespace

Course::Course(const History& history) : by_steps(!history.steps.empty()) {
  Values time, norms;
  double elapsed = 0;
  const bool rated = std::ranges::any_of(history.steps, [](const StepReport& step) { return step.lr > 0; });
  for (const StepReport& step : history.steps) {
    raw.push_back(step.loss);
    norms.push_back(step.gradient_norm);
    time.push_back(elapsed += rated ? step.lr : 1);
    peak_rate = std::max(peak_rate, step.lr);
  }
  validation = epoch_curve(history, "validation.loss", time);
  if (std::ranges::all_of(validation.loss, [](double loss) { return std::isnan(loss); })) validation = {};
  if (by_steps) {
    epochs = epoch_curve(history, "loss", time);
  } else {
    raw = measured_of(history, "loss");
    for (std::size_t i = 0; i < raw.size(); ++i) time.push_back(static_cast<double>(i + 1));
  }
  if (raw.empty()) return;
  stretches = {stretched(raw), stretched(time)};
  steady = stretched(raw, true);
  gradient = stretched(norms);
  first = mean_of(std::span(raw).first(std::clamp<std::size_t>(raw.size() / 20, 1, 10)));
  last = steady.back();  // a single outlier does not count as the end of the run
  lowest = *std::ranges::min_element(stretches.loss);
  if (by_steps && peak_rate > 0) final_rate = history.steps.back().lr / peak_rate;
}

}  // namespace thalweg
