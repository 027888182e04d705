#pragma once
// An objective, traced for a number of rows.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/trace.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// A column of a batch as a program reads it.
struct ColumnSpec {
  std::string name;
  Signature row;  ///< of one row: the shape without the first axis
  friend bool operator==(const ColumnSpec&, const ColumnSpec&) = default;
};
[[nodiscard]] std::vector<ColumnSpec> columns_of(const Dataset& data);
/// Whether columns_of(data) equals these. Called at every step, so it allocates nothing.
[[nodiscard]] bool are_columns_of(const std::vector<ColumnSpec>& columns, const Dataset& data);

/// A loss, and where there is a model the predictions: values, or probabilities.
struct Evaluated {
  Loss loss;        ///< undefined where the data has no target
  Var prediction;   ///< undefined for an objective without a model
  Var output = {};  ///< the model's output, of which the loss is a function; undefined where the prediction is
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

/// `check`, if given, is called for each parameter before the next one is traced.
[[nodiscard]] TracedObjective trace_objective(const EvaluationFunction& function,
                                              const std::vector<ColumnSpec>& columns, std::int64_t rows, Mode mode,
                                              DType dtype, const ParameterCheck& check = {});
/// Several objectives in one graph, where equal ops are computed once. The first one that observes a statistic moves
/// it.
[[nodiscard]] TracedObjective trace_objectives(std::span<const EvaluationFunction> functions,
                                               const std::vector<ColumnSpec>& columns, std::int64_t rows, Mode mode,
                                               DType dtype, const ParameterCheck& check = {});

/// Whether a batch may be cut into shards: the loss and its weight have one term per sample (or the weight is the
/// number of samples), and predictions do not mix samples.
[[nodiscard]] bool keeps_samples_apart(const TracedObjective& traced, std::int64_t rows);

/// For each node, whether `from` depends on it.
[[nodiscard]] std::vector<char> needed_by(const Graph& graph, Var from);

}  // namespace thalweg
