#pragma once
// What the validation losses of a run say: overfitting, and jumps.

#include "insight/attempts.hpp"

namespace thalweg {

constexpr std::size_t fewest_epochs = 8;  // from which a course of epochs is read
constexpr double significance = 2;        // deviations that tell a trend from noise

/// That the validation loss rose beyond chance while the training loss fell: by how much.
[[nodiscard]] std::optional<Finding> overfitting(const Case& run);
/// How much the validation loss jumps from epoch to epoch in the second half of the run, or how far above its lowest it
/// ended, as a part of that.
[[nodiscard]] std::optional<Finding> jumps(const Case& run);

}  // namespace thalweg
