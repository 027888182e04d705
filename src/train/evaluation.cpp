#include "train/evaluation.hpp"

#include <cmath>

namespace thalweg {

namespace {

double accuracy(const Tensor& predictions, const Tensor& targets) {
  const std::int64_t rows = predictions.shape()[0], classes = predictions.size() / rows;
  std::int64_t right = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t best = classes == 1 ? predictions.at(row) >= 0.5 : 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      if (predictions.at(row * classes + c) > predictions.at(row * classes + best)) best = c;
    }
    right += best == std::llround(targets.at(row));
  }
  return static_cast<double>(right) / static_cast<double>(rows);
}

double rmse(const Tensor& predictions, const Tensor& targets) {
  double total = 0;
  for (std::int64_t i = 0; i < predictions.size(); ++i) total += std::pow(predictions.at(i) - targets.at(i), 2);
  return std::sqrt(total / static_cast<double>(predictions.size()));
}

}  // namespace

void add_metrics(Evaluation& result, const LossFunction& loss, const Dataset& data, double shift, double scale) {
  if (!data.has("target")) return;
  Tensor targets = data["target"];
  if (loss.output() != LossFunction::Output::value) {
    result.metrics.emplace_back("accuracy", accuracy(result.predictions, targets));
    return;
  }
  for (Tensor* values : {&result.predictions, &targets}) {
    for (std::int64_t i = 0; i < values->size(); ++i) values->set(i, shift + scale * values->at(i));
  }
  result.metrics.emplace_back("rmse", rmse(result.predictions, targets));
}

bool metric_is_better_when_higher(const std::string& name) { return name == "accuracy"; }

}  // namespace thalweg
