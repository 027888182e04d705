// The tables of layers and models.

#include "nn/layer_row.hpp"
#include "nn/layers_parts.hpp"
#include "nn/models_parts.hpp"

namespace thalweg::nn {

const std::vector<LayerRow>& layers() {
  static const std::vector<LayerRow> rows = joined(layers_parts);
  return rows;
}

const LayerRow& layer_named(const std::string& kind) { return row_named(layers(), "layer", kind); }

const std::vector<ModelRow>& models() {
  static const std::vector<ModelRow> rows = joined(models_parts);
  return rows;
}

}  // namespace thalweg::nn
