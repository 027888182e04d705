#include "train/evaluation.hpp"

#include <cmath>
#include <numbers>

#include "thalweg/metrics.hpp"

namespace thalweg {

namespace {

Task task_of(const LossFunction& loss) {
  switch (loss.output()) {
    case LossFunction::Output::value: return Task::regression;
    case LossFunction::Output::logit: return Task::binary;
    case LossFunction::Output::logits: return Task::multiclass;
  }
  return Task::regression;
}

void put_back(Tensor& values, double shift, double scale) {
  for (std::int64_t i = 0; i < values.size(); ++i) values.set(i, shift + scale * values.at(i));
}

/// (rows, ...) as (rows, outputs): an image is as many outputs as it has numbers.
Tensor flat(const Tensor& values) {
  const std::int64_t rows = values.shape()[0];
  return values.reshape({rows, rows ? values.size() / rows : 1});
}

}  // namespace

bool is_text(const LossFunction& loss, const Dataset& data) {
  return loss.output() == LossFunction::Output::logits && data.has("target") && data["target"].dtype() == i32 &&
         data["target"].shape().rank() > 1;
}

void add_text_metrics(Evaluation& result, const Dataset& data, const std::optional<Tensor>& token_bytes) {
  const double loss = result.metrics.front().second;
  const auto targets = data["target"].values<std::int32_t>();
  result.metrics.emplace_back("perplexity", std::exp(loss));
  if (!token_bytes) return;
  double bytes = 0;
  for (const std::int32_t token : targets) bytes += token_bytes->at(token);
  const double nats = loss * static_cast<double>(targets.size());
  result.metrics.emplace_back("bits_per_byte", nats / (std::numbers::ln2 * bytes));
}

void add_metrics(Evaluation& result, const LossFunction& loss, const Dataset& data, double shift, double scale) {
  if (!data.has("target")) return;
  const Task task = task_of(loss);
  Tensor targets = data["target"];
  if (task == Task::regression) {
    put_back(result.predictions, shift, scale);
    put_back(targets, shift, scale);
  }
  // probabilities of the classes as targets have no one right class to count
  if (task == Task::multiclass && targets.size() != result.rows) return;
  const Tensor predictions = result.predictions.shape().rank() > 2 ? flat(result.predictions) : result.predictions;
  const metric::Weights weights = data.has("weight") ? metric::Weights(data["weight"]) : std::nullopt;
  for (const MetricRow& row : metrics()) {
    if (row.serves(task) && row.name != "log_loss") {  // which is the loss itself
      result.metrics.emplace_back(row.name, row.compute(predictions, targets, weights));
    }
  }
}

bool metric_is_better_when_higher(const std::string& name) {
  for (const MetricRow& row : metrics()) {
    if (row.name == name) return row.higher_is_better;
  }
  return false;  // a loss
}

}  // namespace thalweg
