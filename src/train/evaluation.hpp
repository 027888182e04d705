#pragma once

#include "thalweg/train.hpp"

namespace thalweg {

/// Adds the metrics that fit the loss. Predictions and targets of "value" losses are put back into the target's own
/// units first: shift + scale * value.
void add_metrics(Evaluation& result, const LossFunction& loss, const Dataset& data, double shift, double scale);

[[nodiscard]] bool metric_is_better_when_higher(const std::string& name);

}  // namespace thalweg
