#pragma once
// The implementation of Trainer::fit, and evaluation on a whole set, for the objectives of a trainer.

#include "engine/objectives.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Trains the state on rows, with validation rows or null. `loss` is that of the model, null if an objective has no
/// model. A run that ends leaves the parameters with which the optimizer evaluates (an average, for example) in the
/// state, and in `stepped` those of its last step, from which a further run goes on; empty if the best epoch's were
/// restored. Messages number the training rows by `numbers`.
[[nodiscard]] History run_fit(Objectives& objectives, State& state, const LossFunction* loss, const FitOptions& options,
                              const Dataset& training, const Dataset* validation, const RowNumbers& numbers,
                              Tensor& stepped);

/// Metrics over all rows; `weight` is set to the total weight of the rows in the loss.
[[nodiscard]] Evaluation evaluation_on(Objectives& objectives, const State& state, const LossFunction* loss,
                                       const Dataset& data, double& weight);

}  // namespace thalweg
