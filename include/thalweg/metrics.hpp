#pragma once
// Metrics over whole sets, never as a mean of batch means. Sums are in f64 and in the order of the rows.
//
// Predictions are values (rows, outputs), or probabilities: (rows,) or (rows, 1) of class 1 of two, else (rows,
// classes). Targets are values of as many elements, or labels (rows,) or (rows, 1): whole numbers of any dtype.
// Weights, where given, are one per row and not negative. Of two classes, class 1 is the positive one.
//
// A metric that is undefined is NaN: of no rows, of weights that sum to 0, where a prediction is NaN, and in the cases
// named below. `format_metric` shows it as "-". Shapes that do not fit throw UsageError; a label out of range, or an
// invalid weight, DataError, naming the row.

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

/// f64 (classes, classes): the weight of the rows of each target (down) that were predicted as each class (across). The
/// predicted class is the most probable one, the first of equal ones; with one column it is class 1 above 0.5.
[[nodiscard]] Tensor confusion_matrix(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// Weight of the rows predicted right / weight of all.
[[nodiscard]] double accuracy(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// The part of the rows predicted positive that is positive: tp / (tp + fp), 0 where nothing was predicted positive. Of
/// more than two classes, the mean over those that occur among targets or predictions, as in scikit-learn's macro
/// average; the same holds for recall and f1.
[[nodiscard]] double precision(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// The part of the positive rows that is predicted positive: tp / (tp + fn), 0 where no row is positive.
[[nodiscard]] double recall(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// 2 tp / (2 tp + fp + fn): the harmonic mean of precision and recall.
[[nodiscard]] double f1(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// Area under the ROC curve, exactly: the probability that a positive row has a higher score than a negative one, equal
/// scores counting half. Of more than two classes, the mean of each against the rest. A class that no row, or every
/// row, has leaves no pair to compare: it is left out of the mean, and of two classes the area is undefined.
[[nodiscard]] double auc(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// -mean(log p(target)), p clipped to [eps, 1 - eps], eps the rounding unit of the predictions' dtype.
[[nodiscard]] double log_loss(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// sqrt(mean((prediction - target)^2)), over rows and outputs.
[[nodiscard]] double rmse(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// mean(|prediction - target|), over rows and outputs.
[[nodiscard]] double mae(const Tensor& predictions, const Tensor& targets, const Weights& weights = {});
/// 1 - sum((prediction - target)^2) / sum((target - mean target)^2): 0 is as good as the mean, 1 is exact. Both sums
/// are over all outputs, so an output that hardly varies (the corner of an image) hardly counts; undefined where no
/// target differs from its output's mean.
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
/// Four significant digits, or "-" where it is undefined.
[[nodiscard]] std::string format_metric(double value);

}  // namespace thalweg
