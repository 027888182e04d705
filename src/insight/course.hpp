#pragma once
// The course of a run in few numbers: the input of the verdict's rules.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

using Values = std::vector<double>;

[[nodiscard]] double mean_of(std::span<const double> values);
/// The mean over a part of the values, whose ends are given as fractions; it has at least one value.
[[nodiscard]] double level_of(const Values& values, double from, double to);
/// How strongly successive values move against their trend: the smaller of the root mean squares of the rises and of
/// the falls. For white noise this is its standard deviation, for a monotonic curve 0.
[[nodiscard]] double noise_of(std::span<const double> values);

struct FittedLine {
  double slope = 0, error = 0;  ///< the standard error of the slope
  [[nodiscard]] bool falls() const { return slope < -2 * error; }
};
/// A straight line through the points, by least squares.
[[nodiscard]] FittedLine fit_line(std::span<const double> x, std::span<const double> y);

[[nodiscard]] std::optional<double> find_in(const Metrics& metrics, std::string_view name);
/// The values of a metric in the epochs that measured it.
[[nodiscard]] Values measured_of(const History& history, std::string_view metric);

/// Losses against the sum of the learning rates so far, which is the time of gradient flow: a warm-up or a decay of the
/// learning rate does not bend a straight line.
struct Curve {
  Values loss, time;
  /// The loss at half of the time, a mean over a tenth of the values.
  [[nodiscard]] double at_half_time() const;
};

struct Course {
  explicit Course(const History& history);

  Values raw;                              ///< the loss of every step, or of every epoch where no steps were kept
  Curve stretches;                         ///< means over 20 equal stretches, or `raw` where it is shorter
  Values steady;                           ///< the same without the highest twentieth of each stretch
  Curve epochs;                            ///< training losses of the epochs, where steps were kept
  Curve validation;                        ///< "validation.loss" of the epochs; empty where no row of it counts
  Values gradient;                         ///< the gradient's norm, mean of each stretch
  double first = 0, last = 0, lowest = 0;  ///< the first losses, the last stretch (steady), the lowest stretch
  double final_rate = 1;  ///< the last learning rate divided by the highest; 1 where no steps were kept
  double peak_rate = 0;
  bool by_steps = false;
  [[nodiscard]] double fall() const { return first - last; }
};

}  // namespace thalweg
