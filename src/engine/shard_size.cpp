#include "engine/shard_size.hpp"

#include <algorithm>

#include "core/kernel.hpp"
#include "graph/graph.hpp"

namespace thalweg {

namespace {

std::int64_t operations_of(const Graph& graph, const Node& node) {
  const bool computes = node.op->kind != OpKind::leaf && node.op->kind != OpKind::view;
  if (!computes) return 0;
  if (node.op->kernel == nullptr || node.op->kernel->operations == nullptr) return node.signature.shape.size();
  std::vector<Signature> inputs;
  for (const int input : node.inputs) inputs.push_back(graph.node(input).signature);
  return node.op->kernel->operations({inputs, node.signature, node.attributes.ints, node.attributes.number});
}

/// Floating-point operations of a forward pass, as the op table counts them.
double forward_operations(std::span<const EvaluationFunction> objectives, const std::vector<ColumnSpec>& columns,
                          DType dtype, std::int64_t rows) {
  const TracedObjective traced = trace_objectives(objectives, columns, rows, Mode::train, dtype);
  double operations = 0;
  for (int i = 0; i < traced.graph->size(); ++i)
    operations += static_cast<double>(operations_of(*traced.graph, traced.graph->node(i)));
  return operations;
}

}  // namespace

std::int64_t default_shard_size(std::span<const EvaluationFunction> objectives, const std::vector<ColumnSpec>& columns,
                                const Layout& layout, std::int64_t batch_size) {
  constexpr std::int64_t large_model = 4'000'000;
  constexpr double least_work = 2'000'000, least_operations = 47;  // the latter a number of the gradient
  const std::int64_t parameters = layout.parameters();
  std::int64_t shards = parameters > large_model ? 2 : 4;
  const auto rows = [&] { return batch_size / shards; };
  while (shards > 1 && static_cast<double>(rows()) * 3 * static_cast<double>(parameters) < least_work) shards /= 2;
  if (shards > 1) {
    const std::int64_t traced = (batch_size + shards - 1) / shards;  // as a shard would have
    // what does not depend on the rows counts here as if it did
    const double a_row = forward_operations(objectives, columns, layout.dtype, traced) / static_cast<double>(traced);
    const double least = least_operations * static_cast<double>(layout.trained_size + layout.statistics_size);
    while (shards > 1 && static_cast<double>(rows()) * a_row < least) shards /= 2;
  }
  return std::max<std::int64_t>(1, (batch_size + shards - 1) / shards);
}

}  // namespace thalweg
