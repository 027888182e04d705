#include "plot/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numbers.hpp"

namespace thalweg {

namespace {
/// Labels of ticks on a logarithmic axis: 1e-3 next to 1e-4.
std::string log_tick_label(double value) {
  const auto exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  if (exponent > -3) return number_text(value);
  return fmt::format("{:.6g}e{}", value * std::pow(10, -exponent), exponent);
}

/// The distance between about `count` ticks over a span: 1, 2 or 5 times a power of ten.
double tick_step(double span, int count) {
  const double rough = span / std::max(1, count), power = std::pow(10, std::floor(std::log10(rough)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= rough * 0.999) return digit * power;
  }
  return 10 * power;
}
}  // namespace

Axis::Axis(const std::vector<std::span<const double>>& values, bool log, bool round, int ticks) : log_(log) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& list : values) {
    for (const double value : list) {
      if (const auto t = transformed(value)) low = std::min(low, *t), high = std::max(high, *t);
    }
  }
  if (low <= high) low_ = low, high_ = high;
  if (high_ - low_ <= 1e-12 * std::max(std::abs(low_), std::abs(high_))) {  // a single value is placed in the middle
    const double margin = log_ ? 0.5 : low_ == 0 ? 1 : std::abs(low_) / 2;
    low_ -= margin;
    high_ += margin;
  }
  log_ ? add_log_ticks(ticks) : add_linear_ticks(round, ticks);
}

std::optional<double> Axis::transformed(double value) const {
  if (!std::isfinite(value) || (log_ && value <= 0)) return std::nullopt;
  return log_ ? std::log10(value) : value;
}

std::optional<double> Axis::place(double value) const {
  const auto t = transformed(value);
  if (!t) return std::nullopt;
  return t.value() / (high_ - low_) - low_ / (high_ - low_);
}

void Axis::add_tick(double value) {
  const auto at = place(value);
  if (at && *at > -1e-9 && *at < 1 + 1e-9)
    ticks_.push_back({std::clamp(*at, 0.0, 1.0), log_ ? log_tick_label(value) : number_text(value)});
}

void Axis::add_linear_ticks(bool round, int count) {
  const double step = tick_step(high_ - low_, count);
  const double first = std::floor(low_ / step + 1e-9), last = std::ceil(high_ / step - 1e-9);
  if (round) low_ = first * step, high_ = last * step;
  for (double k = first; k <= last; ++k) add_tick(k * step);
}

void Axis::add_log_ticks(int count) {
  const double decades = high_ - low_;
  const double stride = std::max(1.0, std::ceil(decades / count));
  for (double k = std::floor(low_); k <= std::ceil(high_); ++k) {
    if (decades >= 2 && std::fmod(k, stride) != 0) continue;
    add_tick(std::pow(10, k));
    if (decades >= 2) continue;
    for (const double digit : {2.0, 5.0}) add_tick(digit * std::pow(10, k));
  }
  if (ticks_.size() >= 2) return;
  ticks_.clear();
  const double low = std::pow(10, low_), high = std::pow(10, high_), step = tick_step(high - low, count);
  for (double k = std::ceil(low / step); k * step <= high; ++k) add_tick(k * step);
}

namespace {
Axis axis_of(std::span<const Series> series, std::initializer_list<std::vector<double> Series::*> members,
             const std::vector<double>& besides, bool log, bool round, int ticks) {
  std::vector<std::span<const double>> values{besides};
  for (const Series& s : series) {
    for (const auto member : members) values.emplace_back(s.*member);
  }
  return {values, log, round, ticks};
}
}  // namespace

PlotAxes::PlotAxes(const PlotOptions& options, std::span<const Series> series, int x_ticks, int y_ticks)
    : x(axis_of(series, {&Series::x}, options.x_shown, options.log_x, false, x_ticks)),
      y(axis_of(series, {&Series::y, &Series::low, &Series::high}, options.y_shown, options.log_y, true, y_ticks)) {}

std::vector<std::vector<PlotPoint>> line_segments(const PlotAxes& axes, const Series& series) {
  std::vector<std::vector<PlotPoint>> segments;
  bool open = false;
  for (std::size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
    const auto x = axes.x.place(series.x[i]), y = axes.y.place(series.y[i]);
    if (x && y) {
      if (!open) segments.emplace_back();
      segments.back().push_back({*x, *y});
    }
    open = x && y;
  }
  return segments;
}

}  // namespace thalweg
