#pragma once
// What an evaluation says of the loss and the predictions over a set.

#include "engine/evaluate.hpp"
#include "insight/confusion.hpp"
#include "thalweg/metrics.hpp"

namespace thalweg {

/// The loss and the metrics of its task, and the predictions in the unit of the targets. `loss` is null for an
/// objective without a model, which has neither. Of a text the loss is in nats a token; added are perplexity, e^loss,
/// and where the bytes of each token are known, bits_per_byte.
/// Rows of weight 0 and labels that the loss ignores are in no metric.
[[nodiscard]] Evaluation measured(const LossSum& total, Tensor predictions, const LossFunction* loss,
                                  const Dataset& data);

/// The same from a forward pass over a set, `run`.
[[nodiscard]] Evaluation evaluation_by(const std::function<LossSum(const Dataset&, Tensor&)>& run,
                                       const LossFunction* loss, const Dataset& data);

/// Without the rows of weight 0, which may hold anything.
[[nodiscard]] Dataset counted_rows(const Dataset& data);

/// The loss's task with the targets of such data.
[[nodiscard]] Task task_on(const LossFunction& loss, const Dataset& data);

/// The names of the metrics that `measured` gives of such data, in order.
[[nodiscard]] std::vector<std::string> metric_names(const LossFunction* loss, const Dataset& data);

/// Values as the model gives them, in the unit of the targets.
void put_back(Tensor& values, const TargetUnit& unit);

/// What was taken for what: the class of the largest probability, or of a single one, class 1 above one half. Throws as
/// metrics do.
[[nodiscard]] Confusion confusion_of(const Tensor& predictions, const Tensor& targets,
                                     const metric::Weights& weights = std::nullopt);

[[nodiscard]] bool metric_is_better_when_higher(const std::string& name);

}  // namespace thalweg
