#pragma once
// An objective, traced for a number of rows.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/trace.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// A column of a batch as a program takes it.
struct ColumnSpec {
  std::string name;
  Signature row;  ///< of one row: the shape without the first axis
  friend bool operator==(const ColumnSpec&, const ColumnSpec&) = default;
};
[[nodiscard]] std::vector<ColumnSpec> columns_of(const Dataset& data);
/// Whether columns_of(data) would be these; asked at every step, so nothing is allocated.
[[nodiscard]] bool are_columns_of(const std::vector<ColumnSpec>& columns, const Dataset& data);

/// A loss, and where there is a model the predictions: values, or probabilities.
struct Evaluated {
  Loss loss;        ///< undefined where there is no target to compare with
  Var prediction;   ///< undefined for an objective without a model
  Var output = {};  ///< what the loss is a function of: the model's output; undefined like the prediction
};
using EvaluationFunction = std::function<Evaluated(Scope, const Batch&)>;
[[nodiscard]] EvaluationFunction evaluation_of(ModelFunction model, LossFunction loss);

struct TracedObjective {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::vector<Var> columns;  ///< in the order of the specs
  std::vector<TracedParameter> parameters;
  std::vector<Observation> observations;
  std::optional<RandomInputs> random;
  std::vector<TracedReport> reports;
  Evaluated result;
  std::vector<Evaluated> others = {};  ///< of the objectives after the first

  [[nodiscard]] std::size_t objectives() const { return 1 + others.size(); }
  [[nodiscard]] const Evaluated& of(std::size_t objective) const {
    return objective == 0 ? result : others[objective - 1];
  }
};

/// `check`, where there is one, sees each parameter before the next is traced.
[[nodiscard]] TracedObjective trace_objective(const EvaluationFunction& function,
                                              const std::vector<ColumnSpec>& columns, std::int64_t rows, Mode mode,
                                              DType dtype, const ParameterCheck& check = {});
/// Several in one graph, where what is equal is computed once. A statistic is moved by the first that observes it.
[[nodiscard]] TracedObjective trace_objectives(std::span<const EvaluationFunction> functions,
                                               const std::vector<ColumnSpec>& columns, std::int64_t rows, Mode mode,
                                               DType dtype, const ParameterCheck& check = {});

/// Whether a batch may be cut into shards: the loss and its weight have one term a sample (or the weight is the number
/// of samples), and predictions keep samples apart.
[[nodiscard]] bool keeps_samples_apart(const TracedObjective& traced, std::int64_t rows);

/// For each node, whether `from` depends on it.
[[nodiscard]] std::vector<char> needed_by(const Graph& graph, Var from);

/// The parameter of that name. Throws ModelError where there is none, or where it is otherwise.
[[nodiscard]] const ParameterEntry& entry_in(const Layout& layout, std::string_view name, const Signature& wanted);

}  // namespace thalweg
