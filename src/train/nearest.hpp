#pragma once
// Nearest neighbour: a baseline for image classifiers that needs no training.

#include <optional>

#include "thalweg/data.hpp"

namespace thalweg {

/// The fraction of the rows whose class equals that of the nearest training row, by the sum of squared differences of
/// their inputs; the first one of equally near rows counts. Nothing unless both sets are images in memory with one
/// label each, and if it would take more than a second or two.
[[nodiscard]] std::optional<double> nearest_neighbour_accuracy(const Dataset& training, const Dataset& rows);

}  // namespace thalweg
