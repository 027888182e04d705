#pragma once
// The nearest neighbour: a baseline of image classifiers that has no training.

#include <optional>

#include "thalweg/data.hpp"

namespace thalweg {

/// The part of the rows whose class is that of the nearest training row, by the sum of squared differences of their
/// inputs; the first of equally near ones counts. Nothing unless both sets are images in memory with one label each,
/// and where it would take more than a second or two.
[[nodiscard]] std::optional<double> nearest_neighbour_accuracy(const Dataset& training, const Dataset& rows);

}  // namespace thalweg
