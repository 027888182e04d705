#pragma once
// One call of Trainer::fit, and evaluation on a whole set, on the objectives of a trainer.

#include "engine/objectives.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Trains the state on rows, with validation rows or null. `loss` is that of a model, null where an objective has none.
[[nodiscard]] History run_fit(Objectives& objectives, State& state, const LossFunction* loss, const FitOptions& options,
                              const Dataset& training, const Dataset* validation);

/// Metrics over all rows; `weight` becomes that of all rows in the loss.
[[nodiscard]] Evaluation evaluation_on(Objectives& objectives, const State& state, const LossFunction* loss,
                                       const Dataset& data, double& weight);

}  // namespace thalweg
