#pragma once
// The course of a run in few numbers, which the rules of the verdict look at.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

using Values = std::vector<double>;

[[nodiscard]] double mean_of(std::span<const double> values);
/// The mean over a part of the values, from 0 to 1; at least one of them.
[[nodiscard]] double level_of(const Values& values, double from, double to);
/// How far the values go against their own trend from one to the next: the smaller of the root mean squares of the
/// rises and of the falls. The deviation of white noise; 0 for a curve that goes one way.
[[nodiscard]] double noise_of(std::span<const double> values);

struct FittedLine {
  double slope = 0, error = 0;  ///< the standard error of the slope
  [[nodiscard]] bool falls() const { return slope < -2 * error; }
};
/// Least squares.
[[nodiscard]] FittedLine fit_line(std::span<const double> x, std::span<const double> y);

[[nodiscard]] std::optional<double> find_in(const Metrics& metrics, std::string_view name);
/// A metric of the epochs that measured it.
[[nodiscard]] Values measured_of(const History& history, std::string_view metric);

/// Losses against the sum of the rates so far, which is the time of gradient descent: warm-up and decay of the rate
/// bend no line.
struct Curve {
  Values loss, time;
  /// The loss where half of the time was over, a mean over a tenth of the values.
  [[nodiscard]] double at_half_time() const;
};

struct Course {
  explicit Course(const History& history);

  Values raw;                              ///< the loss of every step, or of every epoch where no steps were kept
  Curve stretches;                         ///< means over 20 equal stretches, or `raw` where it is shorter
  Values steady;                           ///< the same without the highest twentieth of each stretch
  Curve epochs;                            ///< training losses of the epochs, where steps were kept
  Curve validation;                        ///< "validation.loss" of the epochs; empty where no row of it counts
  Values gradient;                         ///< norms, by stretches
  double first = 0, last = 0, lowest = 0;  ///< the first losses, the last stretch (steady), the lowest stretch
  double final_rate = 1;                   ///< the last rate as a part of the highest; 1 where no steps were kept
  double peak_rate = 0;
  bool by_steps = false;
  [[nodiscard]] double fall() const { return first - last; }
};

}  // namespace thalweg
