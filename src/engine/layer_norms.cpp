#include "engine/layer_norms.hpp"

#include <algorithm>
#include <cmath>

#include "graph/graph.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

std::string layer_of(const std::string& parameter) { return parameter.substr(0, parameter.find('/')); }

Program squared_norms(const Layout& layout) {
  const std::vector<std::string> layers = layers_of(layout);
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  Graph graph;
  std::vector<Bound> inputs, outputs;
  std::vector<Var> sums(layers.size());
  for (const ParameterEntry& entry : layout.entries) {
    if (entry.frozen) continue;
    const Var g = graph.input(entry.name, entry.shape, layout.dtype);
    inputs.push_back({g, {first_user_base, entry.offset * element}});
    Var& total = sums[static_cast<std::size_t>(std::ranges::find(layers, layer_of(entry.name)) - layers.begin())];
    const Var squares = sum(square(cast(g, f64)));
    total = total.defined() ? total + squares : squares;
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    outputs.push_back({sums[i], {first_user_base + 1, static_cast<std::int64_t>(i * sizeof(double))}});
  }
  return {graph, inputs, outputs};
}

}  // namespace

std::vector<std::string> layers_of(const Layout& layout) {
  std::vector<std::string> layers;
  for (const ParameterEntry& entry : layout.entries) {
    std::string layer = layer_of(entry.name);
    if (!entry.frozen && std::ranges::find(layers, layer) == layers.end()) layers.push_back(std::move(layer));
  }
  return layers;
}

LayerNorms::LayerNorms(const Layout& layout) : layers_(layers_of(layout).size()), program_(squared_norms(layout)) {}

std::vector<double> LayerNorms::of(std::byte* gradient, double weight, BlockPool& pool, Workers& workers) const {
  std::vector<double> norms(layers_);
  std::byte* const bases[] = {gradient, reinterpret_cast<std::byte*>(norms.data())};
  const auto arena = pool.take(program_.arena_bytes());
  program_.run(bases, arena.data(), workers);
  for (double& norm : norms) norm = std::sqrt(norm) / weight;
  return norms;
}

}  // namespace thalweg
