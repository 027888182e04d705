#pragma once
// The nearest neighbour: what a classifier of images has to beat that has not learned anything.

#include <optional>

#include "thalweg/data.hpp"

namespace thalweg {

/// The part of the rows that are of the class of the training row nearest to them, by the sum of squared differences of
/// their inputs; the first of equally near ones counts. Nothing unless both are images with one label each that are at
/// hand, and where it would take more than a second or two.
[[nodiscard]] std::optional<double> nearest_neighbour_accuracy(const Dataset& training, const Dataset& rows);

}  // namespace thalweg
