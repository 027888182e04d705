#include "engine/loss_of_output.hpp"

#include <algorithm>

#include "graph/tracing.hpp"
#include "nn/trace.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

/// The rank of the model's output in evaluation, found by a trace whose graph is discarded.
int rank_in_evaluation(const Scope& s, const ModelFunction& model, const Var& input) {
  Graph graph;
  const Tracing tracing(graph);
  TraceContext context{graph, Mode::evaluate, s.dtype(), input.dim(0)};
  return model(Scope(context, s.path()), graph.input("batch:input", input.shape(), input.dtype())).rank();
}

}  // namespace

Loss loss_of_output(const Scope& s, const ModelFunction& model, const LossFunction& loss, const Var& output,
                    const Batch& b) {
  Var target = b["target"];
  const bool labels = loss.task() == Task::multiclass && target.dtype() == i32;
  const int one = labels ? target.rank() + 1 : std::max(target.rank(), 2);  // the rank of one output a row
  const bool several = s.mode() == Mode::train && output.rank() == one + 1;
  if (several && rank_in_evaluation(s, model, b["input"]) == one) {
    Shape each{target.dim(0), output.dim(1)};
    for (int axis = 1; axis < target.rank(); ++axis) each.push_back(target.dim(axis));
    target = broadcast_to(expand_dims(target, 1), each);
  }
  return loss(output, target, b.has("weight") ? b["weight"] : Var{});
}

}  // namespace thalweg
