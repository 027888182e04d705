#include "engine/factors.hpp"

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/numbers.hpp"
#include "engine/trained.hpp"
#include "graph/samples.hpp"
#include "kernels/convolution.hpp"
#include "optim/asks.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

/// A layer with its input and output in a graph: rows, or images.
struct Tap {
  FactoredLayer layer;
  Var input, output;
};

/// The readers of each node on which a value depends.
class Readers {
 public:
  Readers(const Graph& graph, Var output) : graph_(graph), of_(static_cast<std::size_t>(graph.size())) {
    const std::vector<char> needed = needed_by(graph, output);
    for (int i = 0; i < graph.size(); ++i) {
      if (!at(needed, i)) continue;
      for (const int input : graph.node(i).inputs) at(of_, input).push_back(i);
    }
  }

  /// The only op that reads a node; below 0 where there are several or none.
  [[nodiscard]] int only(int node) const {
    const std::vector<int>& readers = at(of_, node);
    return readers.size() == 1 ? readers.front() : -1;
  }
  /// The last node of a chain of ops that pass on the elements of a node unchanged, each to one reader.
  [[nodiscard]] int past_reshapes(int node) const {
    while (only(node) >= 0 && name(only(node)) == "reshape") node = only(node);
    return node;
  }
  [[nodiscard]] std::string_view name(int node) const { return graph_.node(node).op->name; }

 private:
  const Graph& graph_;
  std::vector<std::vector<int>> of_;
};

class Finder {
 public:
  Finder(const TracedObjective& traced, Var output)
      : traced_(traced), graph_(*traced.graph), readers_(graph_, output) {}

  [[nodiscard]] std::vector<Tap> taps() const {
    std::vector<Tap> taps;
    for (const TracedParameter& p : traced_.parameters) {
      if (auto tap = tap_of(p)) taps.push_back(std::move(*tap));
    }
    return taps;
  }

 private:
  [[nodiscard]] std::optional<Tap> tap_of(const TracedParameter& p) const {
    if (p.options.frozen || p.var.rank() < 2) return std::nullopt;
    const int weight = readers_.past_reshapes(p.var.index()), product = readers_.only(weight);
    if (product < 0 || !multiplies(product, weight)) return std::nullopt;
    const Var input(*traced_.graph, graph_.node(product).inputs[0]), output(*traced_.graph, product);
    if (!has_samples(input)) return std::nullopt;
    Tap tap{{p.name, "", p.var.size() / output.dim(-1), output.dim(-1)}, input, output};
    if (const TracedParameter* bias = bias_after(product, tap.layer.outputs)) {
      tap.layer.bias = bias->name;
      ++tap.layer.inputs;
    }
    return tap;
  }

  /// Whether rows or images are multiplied by the node, which has one row for each of their elements.
  [[nodiscard]] bool multiplies(int product, int weight) const {
    const Node& node = graph_.node(product);
    if (node.inputs.size() != 2 || node.inputs[1] != weight) return false;
    if (node.op->name == "matmul")
      return node.signature.shape.rank() == 2 && node.attributes.ints[0] == 0 && node.attributes.ints[1] == 0;
    return node.op->name == "convolution" && node.attributes.ints[groups] == 1;
  }

  /// Whether the node depends on the batch. Otherwise its rows belong to no sample, and the gradient at a row is a sum
  /// over all samples.
  [[nodiscard]] bool has_samples(const Var& input) const {
    const std::int64_t samples = traced_.columns.empty() ? 0 : traced_.columns.front().dim(0);
    return samples_in(graph_, input, traced_.columns, samples).kind != SampleAxis::Kind::none;
  }

  /// The parameter that is added to each row of a product.
  [[nodiscard]] const TracedParameter* bias_after(int product, std::int64_t outputs) const {
    const int value = readers_.past_reshapes(product), sum = readers_.only(value);
    if (sum < 0 || readers_.name(sum) != "add") return nullptr;
    const Node& node = graph_.node(sum);
    int other = node.inputs[node.inputs[0] == value ? 1 : 0];
    while (readers_.only(other) >= 0 && (readers_.name(other) == "broadcast" || readers_.name(other) == "reshape"))
      other = graph_.node(other).inputs[0];
    const auto bias =
        std::ranges::find_if(traced_.parameters, [&](const TracedParameter& p) { return p.var.index() == other; });
    const bool fits = bias != traced_.parameters.end() && !bias->options.frozen && readers_.only(other) >= 0 &&
                      bias->var.shape() == Shape{outputs} && node.signature.shape[-1] == outputs;
    return fits ? &*bias : nullptr;
  }

  const TracedObjective& traced_;
  const Graph& graph_;
  Readers readers_;
};

/// (rows, inputs): the numbers that each row of a product, or each place of a convolution, multiplies with the weight.
Var rows_of(const Tap& tap) {
  const Node& node = tap.output.graph().node(tap.output);
  if (node.op->name == "matmul") return tap.input;
  const std::vector<std::int64_t>& a = node.attributes.ints;
  const Shape& filter = tap.output.graph().node(node.inputs[1]).signature.shape;
  const auto padding = [&](int axis, std::int64_t before, std::int64_t stride, std::int64_t dilation) {
    const std::int64_t reached =
        (tap.output.dim(axis) - 1) * stride + (filter[axis - 1] - 1) * dilation + 1 - tap.input.dim(axis) - before;
    return std::pair(before, std::max<std::int64_t>(0, reached));
  };
  const Var image = pad(tap.input, {{0, 0},
                                    padding(1, a[before_height], a[stride_height], a[dilation_height]),
                                    padding(2, a[before_width], a[stride_width], a[dilation_width]),
                                    {0, 0}});
  const auto window = [&](const Var& x, int axis, std::int64_t begin, std::int64_t stride) {
    return slice(x, begin, begin + (tap.output.dim(axis) - 1) * stride + 1, axis, stride);
  };
  std::vector<Var> shifted;
  for (std::int64_t u = 0; u < filter[0]; ++u) {
    const Var strip = window(image, 1, u * a[dilation_height], a[stride_height]);
    for (std::int64_t v = 0; v < filter[1]; ++v)
      shifted.push_back(window(strip, 2, v * a[dilation_width], a[stride_width]));
  }
  const Var patches = shifted.size() == 1 ? shifted.front() : concat(shifted, 3);
  return reshape(patches, Shape{patches.size() / patches.dim(3), patches.dim(3)});
}

const ParameterEntry* trained_entry(const Layout& layout, std::string_view name) {
  const auto found = std::ranges::find(layout.entries, name, &ParameterEntry::name);
  return found == layout.entries.end() || found->frozen ? nullptr : &*found;
}

}  // namespace

std::vector<FactoredLayer> factored_layers(const TracedObjective& traced, const Evaluated& result) {
  std::vector<FactoredLayer> layers;
  if (!result.output.defined()) return layers;
  for (Tap& tap : Finder(traced, result.output).taps()) layers.push_back(std::move(tap.layer));
  return layers;
}

std::vector<FactoredLayer> factored_in(const Layout& trained, std::span<const FactoredLayer> layers,
                                       const FactorAsks& asks) {
  std::vector<FactoredLayer> kept;
  for (FactoredLayer layer : layers) {
    if (!layer.bias.empty() && !trained_entry(trained, layer.bias)) {
      layer.bias.clear();
      --layer.inputs;
    }
    const std::int64_t inputs = layer.inputs - (layer.bias.empty() ? 0 : 1);
    if (trained_entry(trained, layer.weight) && std::max(inputs, layer.outputs) <= asks.max_size)
      kept.push_back(std::move(layer));
  }
  return kept;
}

std::int64_t input_factors_size(std::span<const FactoredLayer> layers) {
  std::int64_t size = 0;
  for (const FactoredLayer& layer : layers) size += layer.inputs * layer.inputs;
  return size;
}

std::int64_t output_factors_size(std::span<const FactoredLayer> layers) {
  std::int64_t size = 0;
  for (const FactoredLayer& layer : layers) size += layer.outputs * layer.outputs;
  return size;
}

std::vector<Var> factor_sums(const TracedObjective& traced, std::span<const FactoredLayer> layers) {
  const Loss& loss = traced.result.loss;
  std::vector<Tap> taps;
  const std::vector<Tap> found = Finder(traced, traced.result.output).taps();
  for (const FactoredLayer& layer : layers) {
    const auto tap =
        std::ranges::find_if(found, [&](const Tap& candidate) { return candidate.layer.weight == layer.weight; });
    if (tap == found.end()) defect("the layer of '{}' is not in the graph", layer.weight);
    taps.push_back({layer, tap->input, tap->output});
  }
  std::vector<Var> sums, outputs;
  for (const Tap& tap : taps) {
    Var rows = rows_of(tap);
    const double count = static_cast<double>(rows.dim(0));
    if (!tap.layer.bias.empty())
      rows = concat({rows, broadcast_to(traced.graph->number(1, rows.dtype()), {rows.dim(0), 1})}, 1);
    sums.push_back(matmul(rows, rows, true, false) * (loss.weight / count));
    outputs.push_back(tap.output);
  }
  const std::vector<Var> slopes = gradients(loss.sum, outputs);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    const std::int64_t columns = taps[i].layer.outputs;
    const Var rows = reshape(slopes[i], Shape{slopes[i].size() / columns, columns});
    sums.push_back(matmul(rows, rows, true, false));
  }
  return sums;
}

std::string factors_text(const EvaluationFunction& function, const Optimizer& optimizer, const Layout& layout,
                         const Dataset& data) {
  constexpr std::int64_t traced_rows = 2;
  const Layout trained = stepped_part(optimizer, layout);
  const TracedObjective traced =
      trace_objective(function, columns_of(data), std::min(data.rows(), traced_rows), Mode::train, layout.dtype);
  const std::vector<FactoredLayer> layers =
      factored_in(trained, factored_layers(traced, traced.result), *asks_of(optimizer).factors);
  constexpr std::size_t most_named = 6;
  std::vector<std::string> others;
  for (const ParameterEntry& entry : trained.entries) {
    const bool factored = std::ranges::any_of(
        layers, [&](const FactoredLayer& layer) { return layer.weight == entry.name || layer.bias == entry.name; });
    if (!entry.frozen && !factored) others.push_back(entry.name);
  }
  const std::int64_t numbers = 2 * (input_factors_size(layers) + output_factors_size(layers));
  std::string text =
      fmt::format("{}: {} by factors, {} numbers with their inverses", optimizer.name,
                  layers.size() == 1 ? "a layer" : fmt::format("{} layers", layers.size()), with_commas(numbers));
  if (others.empty()) return text;
  const std::size_t more = others.size() > most_named ? others.size() - most_named : 0;
  others.resize(others.size() - more);
  text += fmt::format("; by Adam: {}", fmt::join(others, ", "));
  return more == 0 ? text : text + fmt::format(" and {} more", more);
}

}  // namespace thalweg
