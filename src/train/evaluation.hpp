#pragma once

#include "insight/confusion.hpp"
#include "thalweg/metrics.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Of a text: loss is in nats a token, and adds perplexity, e^loss; and with the bytes of each token, bits_per_byte.
void add_text_metrics(Evaluation& result, const Dataset& data, const std::optional<Tensor>& token_bytes);
/// Whether each row holds a class at every place, as a text does.
[[nodiscard]] bool is_text(const LossFunction& loss, const Dataset& data);

/// Adds the metrics that fit the loss. Predictions and targets of "value" losses are put back into the target's own
/// units first: shift + scale * value.
void add_metrics(Evaluation& result, const LossFunction& loss, const Dataset& data, double shift, double scale);

/// What was taken for what: the class of the largest probability, or of a single one, class 1 above one half. Throws as
/// metrics do.
[[nodiscard]] Confusion confusion_of(const Tensor& predictions, const Tensor& targets,
                                     const metric::Weights& weights = std::nullopt);

[[nodiscard]] bool metric_is_better_when_higher(const std::string& name);

}  // namespace thalweg
