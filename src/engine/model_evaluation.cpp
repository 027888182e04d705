#include "engine/model_evaluation.hpp"

#include "core/error.hpp"
#include "engine/loss_of_output.hpp"
#include "graph/graph.hpp"
#include "thalweg/estimators.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Evaluated ModelEvaluation::operator()(Scope s, const Batch& b) const {
  Evaluated result;
  const Var raw = model(s, b["input"]);
  result.output = raw;
  if (b.has("target")) result.loss = loss_of_output(s, model, loss, raw, b);
  const auto task = [&] { return loss.task_with(b["target"].shape(), b["target"].dtype()); };
  if (!b.has("target") || task() != Task::language) result.prediction = loss.prediction(raw);
  return result;
}

namespace {

/// One-hot classes, or 0 and 1, of the shape of the logits.
Var drawn(const Scope& s, const Var& logits, bool binary) {
  const Var uniform = s.uniform("drawn labels", logits.shape());
  if (binary) return cast(uniform < sigmoid(logits), logits.dtype());
  return one_hot(argmax(logits + gumbel_noise(uniform)), logits.dim(-1), logits.dtype());
}

}  // namespace

EvaluationFunction with_drawn_labels(const EvaluationFunction& function, std::string_view who, std::string_view hint) {
  const auto* own = function.target<ModelEvaluation>();
  const bool binary = own && own->loss.name() == "binary_cross_entropy";
  if (!own || (!binary && own->loss.name() != "cross_entropy")) {
    fail<UsageError>(
        "[{}] labels are drawn from what the model says, and {} does not say it. Wanted: cross_entropy or "
        "binary_cross_entropy. Hint: {} takes any loss of a model.",
        who, own ? own->loss.name() : "an objective of one's own", hint);
  }
  const OptionMap options = own->loss.options();
  for (const char* weights : {"class_weights", "positive_weight", "ignored_labels"}) {
    const auto found = options.find(weights);
    const auto* list = found == options.end() ? nullptr : found->second.get_if<OptionList>();
    if (list && !list->empty())
      fail<UsageError>("[{}] {}: a loss with weights is no -log p of every row. Wanted: none.", who, weights);
  }
  return [evaluation = *own, binary, who = std::string(who)](Scope s, const Batch& b) {
    if (b.has("weight")) fail<UsageError>("[{}] rows with weights. Wanted: none, where labels are drawn.", who);
    Evaluated result = evaluation(s, b);
    const Var logits = result.output;
    const Var p = binary ? sigmoid(logits) : softmax(logits);
    // linear in the logits, with the slope p - y: the derivative of -log p(y) by them
    const Var labels = drawn(s, logits, binary), slope = stop_gradient(p - labels);
    const std::int64_t rows = logits.dim(0), terms = binary ? logits.size() : logits.size() / logits.dim(-1);
    // several terms a row are counted by their labels: a number that is not that of the rows makes a step one shard
    const Var count = terms == rows ? logits.graph().number(static_cast<double>(rows), logits.dtype())
                                    : sum(binary ? 0 * labels + 1 : labels);
    result.loss = Loss(sum(slope * logits), count);
    return result;
  };
}

}  // namespace thalweg
