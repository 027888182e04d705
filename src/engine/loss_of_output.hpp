#pragma once
// The loss of a model's output for a batch.

#include "thalweg/batch.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

/// In training a model may give several outputs for each row, (rows, members, ...), as an ensemble of networks does,
/// where it gives one in evaluation: the loss of the row is then the mean of theirs.
[[nodiscard]] Loss loss_of_output(const Scope& s, const ModelFunction& model, const LossFunction& loss,
                                  const Var& output, const Batch& b);

}  // namespace thalweg
