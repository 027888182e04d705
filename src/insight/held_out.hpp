#pragma once
// Rules on the validation losses of a run: overfitting, and jumps.

#include "insight/attempts.hpp"

namespace thalweg {

constexpr std::size_t fewest_epochs = 8;  // from this number on the course over epochs is used
constexpr double significance = 2;        // a trend counts from this many standard deviations of the noise on

/// By how much the validation loss rose, beyond chance, while the training loss fell.
[[nodiscard]] std::optional<Finding> overfitting(const Case& run);
/// How much the validation loss jumps from epoch to epoch in the second half of the run, or how far above its lowest
/// value it ended, relative to that value.
[[nodiscard]] std::optional<Finding> jumps(const Case& run);

}  // namespace thalweg
