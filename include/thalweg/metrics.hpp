#pragma once
// Metrics over whole sets, never as a mean of batch means. Sums are in f64 and in the order of the rows.
//
// Predictions are values (rows, outputs), or probabilities: (rows,) or (rows, 1) of class 1 of two, else (rows,
// classes). Targets are values of as many elements, or labels (rows,) or (rows, 1): whole numbers of any dtype.
// Weights, where given, are one per row and not negative. Of two classes, class 1 is the positive one.
//
// An undefined metric is NaN: for no rows, for weights with the sum 0, if a prediction is NaN, and in the cases named
// below. `format_metric` shows it as "-". Shapes that do not fit throw UsageError; a label out of range, or an invalid
// weight, DataError, naming the row.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/task.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

namespace metric {

using Weights = std::optional<Tensor>;

/// f64 (classes, classes): element (i, j) is the total weight of rows with target i that were predicted as class j. The
/// predicted class is the most probable one, or the first of equally probable ones. With one column, class 1 is
/// predicted above 0.5.
[[nodiscard]] Tensor confusion_matrix(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// The weight of the correctly predicted rows divided by the weight of all rows.
[[nodiscard]] double accuracy(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// The fraction of rows predicted positive that are positive: tp / (tp + fp), 0 if no row was predicted positive, NaN
/// if no row is positive either. With more than two classes, the mean over the classes that occur among targets or
/// predictions, as in scikit-learn's macro average; the same holds for recall and f1.
[[nodiscard]] double precision(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// The fraction of positive rows that are predicted positive: tp / (tp + fn), NaN if no row is positive.
[[nodiscard]] double recall(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// 2 tp / (2 tp + fp + fn): the harmonic mean of precision and recall; NaN if no row is or was predicted positive.
[[nodiscard]] double f1(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// The exact area under the ROC curve: the probability that a positive row has a higher score than a negative row,
/// where equal scores count half. With more than two classes, the mean of each class against the rest. A class of no
/// row or of all rows gives no pairs to compare: it is left out of the mean, and with two classes the area is
/// undefined.
[[nodiscard]] double auc(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// -mean(log p(target)), p clipped to [eps, 1 - eps], eps the rounding unit of the predictions' dtype.
[[nodiscard]] double log_loss(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// sqrt(mean((prediction - target)^2)), over rows and outputs.
[[nodiscard]] double rmse(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// mean(|prediction - target|), over rows and outputs.
[[nodiscard]] double mae(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// 1 - sum((prediction - target)^2) / sum((target - mean target)^2): 0 is as good as the mean, 1 is exact. Both sums
/// are over all outputs, so an output that hardly varies (the corner of an image) hardly counts. Undefined if every
/// target equals the mean of its output.
[[nodiscard]] double r2(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});

}  // namespace metric

/// One row of the table of metrics.
struct MetricRow {
  std::string_view name, summary, formula;
  std::vector<Task> tasks;
  bool higher_is_better = true;
  double (*compute)(const Tensor& predictions, const Tensor& targets, const metric::Weights& weights) = nullptr;

  [[nodiscard]] bool serves(Task task) const;
};
[[nodiscard]] std::span<const MetricRow> metrics();
/// By name. Throws UsageError for an unknown name, naming the nearest.
[[nodiscard]] const MetricRow& find_metric(std::string_view name);
/// Four significant digits, or "-" if it is undefined.
[[nodiscard]] std::string format_metric(double value);

}  // namespace thalweg
