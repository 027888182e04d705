#include "insight/lr_curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace thalweg {

double SmoothedLoss::add(double loss) {
  mean_ = smoothing_ * mean_ + (1 - smoothing_) * loss;
  weight_ = smoothing_ * weight_ + (1 - smoothing_);
  last_ = mean_ / weight_;
  if (count_++ * (1 - smoothing_) < 1) {
    start_ = lowest_ = count_ == 1 ? last_ : std::max(start_, last_);
  }
  lowest_ = std::min(lowest_, last_);
  return last_;
}

bool SmoothedLoss::blew_up() const {
  return !std::isfinite(last_) || last_ - lowest_ > 2 * (start_ - lowest_) + std::abs(start_);
}

double rounded_lr(double lr) {
  const double unit = std::pow(10, std::floor(std::log10(lr)) - 1);
  const double digits = std::round(lr / unit);
  return unit < 1 ? digits / std::round(1 / unit) : digits * unit;
}

namespace {

using Curve = std::span<const LrPoint>;

struct Line {
  double slope = 0, explained = 0;  // the fraction of the variance of y that the line explains
};

/// A least-squares line of the loss against the logarithm of the learning rate.
Line fit_line(std::span<const LrPoint> points, double LrPoint::*loss) {
  double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
  const auto n = static_cast<double>(points.size());
  for (const LrPoint& p : points) mx += std::log(p.lr) / n, my += p.*loss / n;
  for (const LrPoint& p : points) {
    const double dx = std::log(p.lr) - mx, dy = p.*loss - my;
    xx += dx * dx, xy += dx * dy, yy += dy * dy;
  }
  return {xy / xx, yy > 0 ? xy * xy / (xx * yy) : 0};
}

std::size_t lowest_of(Curve curve) {
  return static_cast<std::size_t>(std::ranges::min_element(curve, {}, &LrPoint::smoothed) - curve.begin());
}

/// Where the smoothed loss falls fastest against the logarithm of the learning rate.
LrSuggestion steepest(Curve curve) {
  const std::size_t window = std::min(curve.size(), std::max<std::size_t>(5, curve.size() / 8));
  double slope = 0;
  std::size_t at = 0;
  for (std::size_t begin = 0; begin + window <= curve.size(); ++begin) {
    const Line line = fit_line(curve.subspan(begin, window), &LrPoint::smoothed);
    if (line.slope < slope) slope = line.slope, at = begin;
  }
  const double lr = rounded_lr(curve[at + window / 2].lr);
  if (slope == 0) return {"steepest", lr, 0, "The loss does not fall anywhere."};
  const double explained = fit_line(curve.subspan(at, window), &LrPoint::loss).explained;
  return {"steepest", lr, explained,
          fmt::format("The loss falls fastest here, by {:.3g} for a tenfold rate; this slope explains {:.0f} % of the "
                      "variance of the losses around it.",
                      -slope * std::log(10), 100 * explained)};
}

/// The longest sequence of points along which the smoothed loss falls; points between them may be left out.
std::vector<std::size_t> longest_fall(Curve curve) {
  std::vector<std::size_t> length(curve.size(), 1), before(curve.size());
  for (std::size_t i = 0; i < curve.size(); ++i) {
    before[i] = i;
    for (std::size_t j = 0; j < i; ++j) {
      if (curve[j].smoothed > curve[i].smoothed && length[j] + 1 > length[i]) length[i] = length[j] + 1, before[i] = j;
    }
  }
  auto at = static_cast<std::size_t>(std::ranges::max_element(length) - length.begin());
  std::vector<std::size_t> fall = {at};
  while (before[at] != at) fall.push_back(at = before[at]);
  std::ranges::reverse(fall);
  return fall;
}

/// The rate two thirds along the longest fall.
LrSuggestion valley(Curve curve) {
  const std::vector<std::size_t> fall = longest_fall(curve);
  const double depth = curve[fall.front()].smoothed - curve[fall.back()].smoothed;
  const LrPoint& lowest = curve[lowest_of(curve)];
  const double range = curve.front().smoothed - lowest.smoothed, part = range > 0 ? std::min(1.0, depth / range) : 0;
  const auto kept = static_cast<double>(fall.size()), steps = static_cast<double>(fall.back() - fall.front() + 1);
  return {
      "valley", rounded_lr(curve[fall[2 * fall.size() / 3]].lr), part * kept / steps,
      fmt::format(
          "Two thirds along the longest fall, from {:.2g} to {:.2g}, which is {:.0f} % of the whole fall of the loss.",
          curve[fall.front()].lr, curve[fall.back()].lr, 100 * part)};
}

LrSuggestion tenth_of_minimum(Curve curve, bool diverged) {
  const LrPoint& lowest = curve[lowest_of(curve)];
  const double fall = curve.front().smoothed - lowest.smoothed, rise = curve.back().smoothed - lowest.smoothed;
  const double part = fall > 0 ? std::min(1.0, rise / fall) : 0;
  const bool seen = diverged || part > 0.1;
  return {"minimum / 10", rounded_lr(lowest.lr / 10), fall > 0 ? std::max(0.1, diverged ? 1.0 : part) * 0.8 : 0,
          seen ? fmt::format("The loss was lowest, {:.3g}, at a rate of {:.2g}, and rose again after it.",
                             lowest.smoothed, lowest.lr)
               : fmt::format("The loss was lowest, {:.3g}, at a rate of {:.2g}, and the sweep ended before it rose.",
                             lowest.smoothed, lowest.lr)};
}

}  // namespace

std::vector<LrSuggestion> suggestions_of(const std::vector<LrPoint>& curve, double smoothing, bool diverged) {
  // the first running means have too few losses to show a slope
  const auto skipped = std::min(curve.size() / 4, static_cast<std::size_t>(1 / (1 - smoothing)));
  if (curve.size() < skipped + 5) return {};
  const Curve settled = std::span(curve).subspan(skipped);
  std::vector<LrSuggestion> all = {steepest(settled), valley(settled), tenth_of_minimum(settled, diverged)};
  std::ranges::stable_sort(all, std::greater{}, &LrSuggestion::confidence);
  return all;
}

}  // namespace thalweg
