#pragma once
// The mean weight of a row of the data.

#include <optional>

#include "core/workers.hpp"
#include "engine/objective.hpp"

namespace thalweg {

/// The loss's weight over all rows (sample weights, class weights, labels that count), divided by their number. A step
/// divides by it times its rows, so a batch of small weights is a small step. Returns nothing, so that a step divides
/// by its batch's own weight, where every row weighs 1, where the loss is a scalar (already a mean), where the weight
/// depends on parameters or random numbers, and where it depends on rows that are not read yet. Throws DataError where
/// no row counts.
[[nodiscard]] std::optional<double> mean_row_weight(const EvaluationFunction& function, const Layout& layout,
                                                    const Dataset& data, Workers& workers);

}  // namespace thalweg
