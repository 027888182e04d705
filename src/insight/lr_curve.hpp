#pragma once
// Suggestions for the learning rate from the curve of a range test.

#include "thalweg/find_lr.hpp"

namespace thalweg {

/// The running mean of losses: m = smoothing m + (1 - smoothing) loss, over 1 - smoothing^t.
class SmoothedLoss {
 public:
  explicit SmoothedLoss(double smoothing) : smoothing_(smoothing) {}
  /// Adds a loss and returns the mean.
  double add(double loss);
  /// Whether the mean is not finite, or has risen above its lowest value by twice the fall before and the start added.
  /// The start is the highest of the first means, which have too few losses to be judged.
  [[nodiscard]] bool blew_up() const;

 private:
  double smoothing_, mean_ = 0, weight_ = 0;
  double start_ = 0, lowest_ = 0, last_ = 0;
  int count_ = 0;
};

/// Steepest, valley, and a tenth of the minimum, the most confident first. Empty for a curve that is too short.
[[nodiscard]] std::vector<LrSuggestion> suggestions_of(const std::vector<LrPoint>& curve, double smoothing,
                                                       bool diverged);

/// Rounds to two significant digits.
[[nodiscard]] double rounded_lr(double lr);

}  // namespace thalweg
