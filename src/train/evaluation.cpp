#include "train/evaluation.hpp"

#include <cmath>
#include <numbers>

#include "thalweg/metrics.hpp"

namespace thalweg {

/// In f64: in the target's unit an offset may take up all the digits of f32.
void put_back(Tensor& values, const TargetUnit& unit) {
  if (unit.shift == 0 && unit.scale == 1) return;
  values = values.to(f64);
  for (std::int64_t i = 0; i < values.size(); ++i) values.set(i, unit.shift + unit.scale * values.at(i));
}

namespace {

/// (rows, ...) as (rows, outputs): an image is as many outputs as it has numbers.
Tensor flat(const Tensor& values) {
  const std::int64_t rows = values.shape()[0];
  return values.reshape({rows, rows ? values.size() / rows : 1});
}

/// The loss is in nats a token.
void add_text_metrics(Evaluation& result, const Dataset& data) {
  const double loss = result.metrics.front().second;
  const auto targets = data["target"].values<std::int32_t>();
  result.metrics.emplace_back("perplexity", std::exp(loss));
  const auto& token_bytes = data.unit().token_bytes;
  if (!token_bytes) return;
  double bytes = 0;
  for (const std::int32_t token : targets) bytes += token_bytes->at(token);
  const double nats = loss * static_cast<double>(targets.size());
  result.metrics.emplace_back("bits_per_byte", nats / (std::numbers::ln2 * bytes));
}

void add_metrics(Evaluation& result, Task task, const Dataset& data) {
  Tensor targets = data["target"];
  if (task == Task::regression) put_back(targets, data.unit());
  const Tensor predictions = result.predictions.shape().rank() > 2 ? flat(result.predictions) : result.predictions;
  const metric::Weights weights = data.has("weight") ? metric::Weights(data["weight"]) : std::nullopt;
  for (const MetricRow& row : metrics()) {
    if (row.serves(task) && row.name != "log_loss") {  // which is the loss itself
      result.metrics.emplace_back(row.name, row.compute(predictions, targets, weights));
    }
  }
}

}  // namespace

Evaluation measured(const LossSum& total, Tensor predictions, const LossFunction* loss, const Dataset& data) {
  Evaluation result;
  result.rows = data.rows();
  result.metrics.emplace_back("loss", total.sum / total.weight);
  if (!loss || !data.has("target")) return result;
  const Task task = loss->task_with(data["target"].shape(), data["target"].dtype());
  if (task == Task::language || data.unit().token_bytes) {
    add_text_metrics(result, data);
    return result;
  }
  result.predictions = std::move(predictions);
  if (task == Task::regression) put_back(result.predictions, data.unit());
  add_metrics(result, task, data);
  return result;
}

bool metric_is_better_when_higher(const std::string& name) {
  for (const MetricRow& row : metrics()) {
    if (row.name == name) return row.higher_is_better;
  }
  return false;  // a loss
}

}  // namespace thalweg
