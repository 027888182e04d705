#pragma once
// Evaluation: the metrics that follow from the loss and the predictions over a set.

#include "engine/evaluate.hpp"
#include "insight/confusion.hpp"
#include "thalweg/metrics.hpp"

namespace thalweg {

/// The loss, the metrics of its task, and the predictions in the unit of the targets. `loss` is null for an objective
/// without a model, which has neither metrics nor predictions. For a text the loss is in nats per token; perplexity,
/// e^loss, is added, and bits_per_byte if the bytes of each token are known. Rows of weight 0 and labels that the loss
/// ignores are excluded from all metrics.
[[nodiscard]] Evaluation measured(const LossSum& total, Tensor predictions, const LossFunction* loss,
                                  const Dataset& data);

/// The same, from a forward pass `run` over a set.
[[nodiscard]] Evaluation evaluation_by(const std::function<LossSum(const Dataset&, Tensor&)>& run,
                                       const LossFunction* loss, const Dataset& data);

/// The same rows with these columns in memory, also where they were not read yet: metrics need all targets and weights.
[[nodiscard]] Dataset with_read(const Dataset& data, std::initializer_list<std::string_view> names);

/// Throws DataError for a number that is not finite in a row that counts, naming its column and row. For validation
/// rows with such a loss. Rows that are not read yet are left out.
void expect_finite_rows(const Dataset& validation);
/// The rows whose weight, in the column "weight", is not 0. Throws DataError for a weight below 0.
[[nodiscard]] std::vector<std::int64_t> counted_row_numbers(const Dataset& data);
/// Drops the rows of weight 0, which may contain anything.
[[nodiscard]] Dataset counted_rows(const Dataset& data);
/// The data with weights whose sums are in the range of f32. Only their ratios matter, so they are divided by a power
/// of two if their mean is far from 1 (data/row_weights.hpp).
[[nodiscard]] Dataset usual_weights(const Dataset& data);
/// The rows of the data that train a model with a loss: those that count, with usual weights. Throws DataError for a
/// weight below 0 or not finite, and where all are 0; `who` is the function that trains.
[[nodiscard]] Dataset rows_to_train(const Dataset& data, std::string_view who);
/// Throws DataError for a weight below 0 or not finite.
void check_weights(const Dataset& data);

/// The task of the loss with the targets of such data.
[[nodiscard]] Task task_on(const LossFunction& loss, const Dataset& data);

/// The names of the metrics that `measured` computes for such data, in order.
[[nodiscard]] std::vector<std::string> metric_names(const LossFunction* loss, const Dataset& data);

/// Converts the values of the model to the unit of the targets.
void put_back(Tensor& values, const TargetUnit& unit);

/// The confusion matrix; the predicted class is the one with the largest probability, or with a single column class 1
/// if it is above one half. Throws as metrics do.
[[nodiscard]] Confusion confusion_of(const Tensor& predictions, const Tensor& targets,
                                     const metric::Weights& weights = std::nullopt);

/// The confusion matrix of predictions for such data, over the rows whose weight is not 0: see `weights_on`.
[[nodiscard]] Confusion confusion_on(const Tensor& predictions, const Dataset& data, const metric::Weights& weights);

/// The weight of each label or row, in metrics as in the loss; ignored labels have 0. Nothing if all weights are 1.
[[nodiscard]] metric::Weights weights_on(const LossFunction& loss, const Dataset& data);

[[nodiscard]] bool metric_is_better_when_higher(const std::string& name);

}  // namespace thalweg
