#include "engine/row_weight.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/index.hpp"
#include "engine/forward.hpp"
#include "engine/shards.hpp"
#include "graph/graph.hpp"
#include "graph/samples.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t shard_rows = 4096;

/// Whether the weight is a sum over samples that depends on data in memory alone.
bool follows_from_data(const TracedObjective& traced, const Dataset& data, std::int64_t rows) {
  const Loss& loss = traced.result.loss;
  if (!loss.separable || samples_in(*traced.graph, loss.weight, traced.columns, rows) != SampleAxis::summed())
    return false;
  const std::vector<char> needed = needed_by(*traced.graph, loss.weight);
  const auto is_needed = [&](Var v) { return at(needed, v.index()) != 0; };
  if (std::ranges::any_of(traced.parameters, [&](const TracedParameter& p) { return is_needed(p.var); })) return false;
  if (const auto& r = traced.random; r && (is_needed(r->seed) || is_needed(r->step) || is_needed(r->places)))
    return false;
  for (std::size_t i = 0; i < traced.columns.size(); ++i) {
    if (is_needed(traced.columns[i]) && data.columns()[i].second.shape()[0] != data.rows()) return false;
  }
  return true;
}

}  // namespace

std::optional<double> mean_row_weight(const EvaluationFunction& function, const Layout& layout, const Dataset& data,
                                      Workers& workers) {
  const std::vector<ColumnSpec> columns = columns_of(data);
  const std::int64_t rows = data.rows();
  double total = 0;
  for (std::int64_t begin = 0; begin < rows;) {
    // blocks of equal size, and then the rest
    const std::int64_t size = std::min(shard_rows, rows - begin);
    const TracedObjective traced = trace_objective(function, columns, size, Mode::train, layout.dtype);
    if (!traced.result.loss.sum.defined() || !follows_from_data(traced, data, size)) return std::nullopt;
    const ForwardProgram program(*traced.graph, traced.columns, {}, layout, {{traced.result.loss.weight}});
    const Block memory(program.memory_bytes());
    const Tensor no_parameters({1}, layout.dtype);
    for (; begin + size <= rows; begin += size) {
      std::vector<const std::byte*> inputs;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const Tensor& column = data.columns()[i].second;
        const bool is_there = column.shape()[0] == rows;  // else it is not read yet, and not needed
        inputs.push_back(column.raw() + (is_there ? static_cast<std::size_t>(begin) * columns[i].row.bytes() : 0));
      }
      double weight = 0;
      std::byte* const outputs[] = {reinterpret_cast<std::byte*>(&weight)};
      program.run(inputs, no_parameters, outputs, memory.data(), workers);
      total += number_at(&weight, traced.result.loss.weight.dtype());
    }
  }
  if (!(total > 0)) fail<DataError>("[fit] the weights of the rows add up to {}: there is nothing to train on", total);
  return total / static_cast<double>(rows);
}

}  // namespace thalweg
