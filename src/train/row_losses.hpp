#pragma once
// The loss of each row of a set.

#include "thalweg/data.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The contribution of each row to the loss if all rows had the same weight: f64 (rows); the mean for rows of several
/// values. Class weights are included, the rows' own weights are not.
[[nodiscard]] Tensor row_losses(const ModelFunction& model, const LossFunction& loss, const State& state,
                                const Dataset& data, int threads = 0);

}  // namespace thalweg
