#include "graph/samples.hpp"

#include <algorithm>

#include "graph/graph.hpp"

namespace thalweg {

namespace {

using Kind = SampleAxis::Kind;

bool all_are(std::span<const SampleAxis> inputs, Kind kind) {
  return std::ranges::all_of(inputs, [&](const SampleAxis& input) { return input.kind == kind; });
}

}  // namespace

SampleAxis elementwise_samples(const SampleSite& site) {
  SampleAxis result;
  for (const SampleAxis& input : site.inputs) {
    if (input.kind == Kind::none) continue;
    if (input.kind != Kind::along || (result.kind == Kind::along && result.axis != input.axis))
      return SampleAxis::mixed();
    result = input;
  }
  return result;
}

SampleAxis linear_samples(const SampleSite& site) {
  return all_are(site.inputs, Kind::summed) ? SampleAxis::summed() : elementwise_samples(site);
}

SampleAxis product_samples(const SampleSite& site) {
  const auto summed = std::ranges::count(site.inputs, Kind::summed, &SampleAxis::kind);
  const auto none = std::ranges::count(site.inputs, Kind::none, &SampleAxis::kind);
  const bool one_sum = summed == 1 && none + 1 == static_cast<std::ptrdiff_t>(site.inputs.size());
  return one_sum ? SampleAxis::summed() : elementwise_samples(site);
}

SampleAxis quotient_samples(const SampleSite& site) {
  const bool rest_fixed = all_are(site.inputs.subspan(1), Kind::none);
  return site.inputs[0].kind == Kind::summed && rest_fixed ? SampleAxis::summed() : elementwise_samples(site);
}

SampleAxis rows_samples(const SampleSite& site) {
  const SampleAxis result = elementwise_samples(site);
  const bool along_rows = result.kind == Kind::along && result.axis == site.signatures[0].shape.rank() - 1;
  return along_rows ? SampleAxis::mixed() : result;
}

SampleAxis reshape_samples(const SampleSite& site) {
  const SampleAxis input = site.inputs[0];
  if (input.kind != Kind::along) return input;
  const Shape &from = site.signatures[0].shape, &to = site.output.shape;
  std::int64_t before = 1, product = 1;
  for (int axis = 0; axis < input.axis; ++axis) before *= from[axis];
  // samples stay separate if an axis of the new shape begins at the same position and holds whole samples
  for (int axis = 0; axis < to.rank(); ++axis) {
    if (product == before && to[axis] % site.samples == 0 && (to[axis] > 1 || site.samples == 1))
      return SampleAxis::along(axis);
    product *= to[axis];
  }
  return SampleAxis::mixed();
}

SampleAxis samples_in(const Graph& graph, Var value, std::span<const Var> columns, std::int64_t samples) {
  std::vector<SampleAxis> axis(static_cast<std::size_t>(value.index()) + 1);
  for (const Var& column : columns) {
    if (column.index() <= value.index()) at(axis, column.index()) = SampleAxis::along(0);
  }
  for (int i = 0; i <= value.index(); ++i) {
    const Node& node = graph.node(i);
    if (node.op->kind == OpKind::leaf) continue;
    std::vector<SampleAxis> inputs;
    std::vector<Signature> signatures;
    for (int input : node.inputs) {
      inputs.push_back(at(axis, input));
      signatures.push_back(graph.node(input).signature);
    }
    const SampleSite site{inputs, signatures, node.signature, node.attributes, samples};
    if (site.none_depends()) continue;
    at(axis, i) = node.op->samples_along ? node.op->samples_along(site) : SampleAxis::mixed();
  }
  return axis.back();
}

}  // namespace thalweg
