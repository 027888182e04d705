#pragma once
// What the curve of a range test says.

#include "thalweg/find_lr.hpp"

namespace thalweg {

/// The running mean of losses: m = smoothing m + (1 - smoothing) loss, over 1 - smoothing^t.
class SmoothedLoss {
 public:
  explicit SmoothedLoss(double smoothing) : smoothing_(smoothing) {}
  /// The mean after one more loss.
  double add(double loss);
  /// Whether the mean is not finite, or stands above its lowest by twice what had been gained and the start on top. The
  /// start is the highest of the means that are of too few losses to be judged.
  [[nodiscard]] bool blew_up() const;

 private:
  double smoothing_, mean_ = 0, weight_ = 0;
  double start_ = 0, lowest_ = 0, last_ = 0;
  int count_ = 0;
};

/// Steepest, valley, and a tenth of the minimum: the most confident first. None for a curve that is too short.
[[nodiscard]] std::vector<LrSuggestion> suggestions_of(const std::vector<LrPoint>& curve, double smoothing,
                                                       bool diverged);

/// To two significant digits.
[[nodiscard]] double rounded_lr(double lr);

}  // namespace thalweg
