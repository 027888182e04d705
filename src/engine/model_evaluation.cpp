#include "engine/model_evaluation.hpp"

#include "core/error.hpp"
#include "engine/loss_of_output.hpp"
#include "graph/graph.hpp"
#include "loss/likelihood.hpp"
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

const loss::Likelihood& drawable(const ModelEvaluation* own, std::string_view who, std::string_view hint) {
  const loss::Likelihood* likelihood = own ? loss::likelihood_of(own->loss.name()) : nullptr;
  if (likelihood) return *likelihood;
  std::vector<std::string_view> names;
  for (const loss::Likelihood& row : loss::likelihoods()) names.push_back(row.loss);
  fail<UsageError>(
      "[{}] labels are drawn from what the model says, and {} does not say it. Wanted: a model with one of {}. Hint: "
      "{} "
      "takes any loss of a model.",
      who, own ? own->loss.name() : "an objective of one's own", fmt::join(names, ", "), hint);
}

}  // namespace

EvaluationFunction with_drawn_labels(const EvaluationFunction& function, std::string_view who, std::string_view hint) {
  const auto* own = function.target<ModelEvaluation>();
  const loss::Likelihood& likelihood = drawable(own, who, hint);
  const OptionMap options = own->loss.options();
  for (const char* weights : {"class_weights", "positive_weight", "ignored_labels"}) {
    const auto found = options.find(weights);
    const auto* list = found == options.end() ? nullptr : found->second.get_if<OptionList>();
    if (list && !list->empty())
      fail<UsageError>("[{}] {}: a loss with weights is no -log p of every row. Wanted: none.", who, weights);
  }
  return [evaluation = *own, &likelihood, options, who = std::string(who)](Scope s, const Batch& b) {
    if (b.has("weight")) fail<UsageError>("[{}] rows with weights. Wanted: none, where labels are drawn.", who);
    Evaluated result = evaluation(s, b);
    const Var output = result.output;
    const Var slope = stop_gradient(likelihood.drawn_slope(s, output, options));
    const std::int64_t rows = output.dim(0), terms = output.size() / (likelihood.joint ? output.dim(-1) : 1);
    // several terms a row are counted: a number that is not that of the rows makes a step one shard
    const Var first = likelihood.joint ? slice(output, 0, 1, -1) : output;
    const Var count = terms == rows ? output.graph().number(static_cast<double>(rows), output.dtype())
                                    : sum(0 * stop_gradient(first) + 1);
    result.loss = Loss(sum(slope * output), count);  // linear in the output
    return result;
  };
}

}  // namespace thalweg
