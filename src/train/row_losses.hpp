#pragma once
// The loss of each row of a set.

#include "thalweg/data.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// What each row adds to the loss where all rows weigh the same: f64 (rows), of several values a row their mean. Class
/// weights are in it, the rows' own weights are not.
[[nodiscard]] Tensor row_losses(const ModelFunction& model, const LossFunction& loss, const State& state,
                                const Dataset& data, int threads = 0);

}  // namespace thalweg
