#include "engine/objective.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/index.hpp"
#include "engine/loss_of_output.hpp"
#include "engine/model_evaluation.hpp"
#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Var Batch::operator[](std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& [known, var] : columns_) {
    if (known == name) return var;
    names.push_back(known);
  }
  fail<UsageError>("[batch] there is no column '{}'. Hint: the batch has {}.", name, fmt::join(names, ", "));
}

bool Batch::has(std::string_view name) const {
  return std::ranges::any_of(columns_, [&](const auto& column) { return column.first == name; });
}

std::int64_t Batch::rows() const {
  const auto counted = std::ranges::find_if(columns_, [](const auto& column) { return column.second.rank() > 0; });
  return counted == columns_.end() ? 1 : counted->second.dim(0);
}

Objective objective_of(ModelFunction model, LossFunction loss) {
  return [model = std::move(model), loss = std::move(loss)](Scope s, const Batch& b) {
    return loss_of_output(s, model, loss, model(s, b["input"]), b);
  };
}

EvaluationFunction evaluation_of(ModelFunction model, LossFunction loss) {
  return ModelEvaluation{std::move(model), std::move(loss)};
}

std::vector<ColumnSpec> columns_of(const Dataset& data) {
  std::vector<ColumnSpec> columns;
  for (const auto& [name, column] : data.columns()) {
    columns.push_back({name, {Shape(column.shape().sizes().subspan(1)), column.dtype()}});
  }
  if (columns.empty()) fail<UsageError>("[train] the data has no columns. Hint: data.set(\"input\", tensor).");
  return columns;
}

bool are_columns_of(const std::vector<ColumnSpec>& columns, const Dataset& data) {
  return std::ranges::equal(columns, data.columns(), [](const ColumnSpec& wanted, const auto& column) {
    const auto& [name, tensor] = column;
    return tensor.dtype() == wanted.row.dtype && name == wanted.name &&
           std::ranges::equal(tensor.shape().sizes().subspan(1), wanted.row.shape.sizes());
  });
}

namespace {

/// A part that is called twice observes twice: first (1 - a) old + a x, then (1 - b) of the result + b y. Together this
/// is one movement towards a mean of x and y.
std::vector<Observation> one_for_each_statistic(const std::vector<Observation>& observed) {
  std::vector<Observation> joined;
  for (const Observation& next : observed) {
    const auto before = std::ranges::find(joined, next.statistic, &Observation::statistic);
    if (before == joined.end()) {
      joined.push_back(next);
      continue;
    }
    const double kept = (1 - next.momentum) * before->momentum, together = kept + next.momentum;
    if (together == 0) continue;
    before->value = (kept / together) * before->value + (next.momentum / together) * next.value;
    before->momentum = together;
  }
  return joined;
}

}  // namespace

TracedObjective trace_objective(const EvaluationFunction& function, const std::vector<ColumnSpec>& columns,
                                std::int64_t rows, Mode mode, DType dtype, const ParameterCheck& check) {
  return trace_objectives({&function, 1}, columns, rows, mode, dtype, check);
}

TracedObjective trace_objectives(std::span<const EvaluationFunction> functions, const std::vector<ColumnSpec>& columns,
                                 std::int64_t rows, Mode mode, DType dtype, const ParameterCheck& check) {
  TracedObjective traced;
  const Tracing tracing(*traced.graph);
  TraceContext context{*traced.graph, mode, dtype, rows};
  context.check = &check;
  std::vector<std::pair<std::string, Var>> named;
  for (const ColumnSpec& column : columns) {
    Shape shape{rows};
    for (std::int64_t size : column.row.shape) shape.push_back(size);
    // a prefix, so that a parameter may have the name of a column
    traced.columns.push_back(traced.graph->input("batch:" + column.name, shape, column.row.dtype));
    const bool other_float = is_float(column.row.dtype) && column.row.dtype != dtype;
    named.emplace_back(column.name, other_float ? cast(traced.columns.back(), dtype) : traced.columns.back());
  }
  for (std::size_t i = 0; i < functions.size(); ++i) {
    if (i > 0) context.begin_next_objective();
    Evaluated result = functions[i](Scope(context, ""), Batch(named));
    if (i == 0) {
      traced.result = result;
    } else {
      traced.others.push_back(result);
    }
    for (Observation& observation : one_for_each_statistic(std::exchange(context.observations, {}))) {
      if (std::ranges::count(traced.observations, observation.statistic, &Observation::statistic) == 0)
        traced.observations.push_back(std::move(observation));
    }
  }
  traced.parameters = std::move(context.parameters);
  traced.random = context.random;
  traced.reports = std::move(context.reports);
  return traced;
}

bool keeps_samples_apart(const TracedObjective& traced, std::int64_t rows) {
  const auto samples = [&](Var v) { return samples_in(*traced.graph, v, traced.columns, rows); };
  const auto keeps_apart = [&](const Evaluated& result) {
    if (result.prediction.defined() && samples(result.prediction) != SampleAxis::along(0)) return false;
    if (!result.loss.sum.defined()) return true;
    if (!result.loss.separable || samples(result.loss.sum) != SampleAxis::summed()) return false;
    const Node& weight = traced.graph->node(result.loss.weight);
    if (weight.op->leaf == Leaf::number) return weight.attributes.number == static_cast<double>(rows);
    return samples(result.loss.weight) == SampleAxis::summed();
  };
  return keeps_apart(traced.result) && std::ranges::all_of(traced.others, keeps_apart);
}

std::vector<char> needed_by(const Graph& graph, Var from) {
  std::vector<char> needed(static_cast<std::size_t>(graph.size()), 0);
  at(needed, from.index()) = 1;
  for (int i = from.index(); i >= 0; --i) {
    if (!at(needed, i)) continue;
    for (int input : graph.node(i).inputs) at(needed, input) = 1;
  }
  return needed;
}

}  // namespace thalweg
