#pragma once
// The table of layers: the kinds that a configuration's list of layers may name.

#include "thalweg/nn.hpp"

namespace thalweg::nn {

/// A row of the table of layers.
struct LayerRow {
  std::string_view name, summary, formula;
  std::vector<OptionDoc> options = {};
  /// The layer and its options with every default written out. Throws UsageError for invalid options.
  std::function<std::pair<ModelFunction, OptionMap>(const OptionMap&)> make = {};
};
[[nodiscard]] const std::vector<LayerRow>& layers();
/// Throws UsageError for an unknown kind, naming the nearest.
[[nodiscard]] const LayerRow& layer_named(const std::string& kind);

struct LayersOptions {
  /// Each a table { kind = "conv2d", filters = 32 }: a row of the table of layers and its options.
  std::vector<OptionMap> layers = {};
  std::string head = "dense";  ///< "dense": a dense layer to the outputs follows; "none": the last layer gives them
};
/// Layers "layer1", "layer2", ... one after the other, then "output".
[[nodiscard]] ModelFunction layers(std::int64_t outputs, const LayersOptions& options);

}  // namespace thalweg::nn
