#pragma once
// A list of layers in a configuration.

#include "thalweg/layers.hpp"

namespace thalweg::nn {

/// Layers "layer1", "layer2", ... one after the other, each made from its kind and options.
class LayerList {
 public:
  explicit LayerList(const std::vector<OptionMap>& list);
  [[nodiscard]] Var operator()(const Scope& s, Var x) const;

 private:
  std::vector<ModelFunction> layers_;
};

}  // namespace thalweg::nn
