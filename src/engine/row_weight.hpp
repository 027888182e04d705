#pragma once
// What a row of the data weighs on average.

#include <optional>

#include "core/workers.hpp"
#include "engine/objective.hpp"

namespace thalweg {

/// The loss's weight over all rows (sample weights, class weights, labels that count), divided by their number: a step
/// divides by it and its rows, so that a batch of small weights is a small step. Nothing, so that a step divides by
/// its batch's own weight, where every row weighs 1, where the loss is a scalar and so a mean already, where the weight
/// depends on parameters or random numbers, and where it depends on rows that are yet to be read. Throws DataError
/// where no row counts.
[[nodiscard]] std::optional<double> mean_row_weight(const EvaluationFunction& function, const Layout& layout,
                                                    const Dataset& data, Workers& workers);

}  // namespace thalweg
