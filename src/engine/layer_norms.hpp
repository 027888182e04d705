#pragma once
// The norm of each layer's gradient.

#include <string>
#include <vector>

#include "engine/shards.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The layers that are trained, in the order of their parameters: "hidden" of "hidden/weight" and "hidden/norm/bias".
[[nodiscard]] std::vector<std::string> layers_of(const Layout& layout);

/// The norm of each layer's gradient.
class LayerNorms {
 public:
  explicit LayerNorms(const Layout& layout);
  /// Of a flat gradient divided by `weight`, in the order of layers_of.
  [[nodiscard]] std::vector<double> of(std::byte* gradient, double weight, BlockPool& pool, Workers& workers) const;

 private:
  std::size_t layers_;
  Program program_;
};

}  // namespace thalweg
