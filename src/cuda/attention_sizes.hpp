#pragma once
// Where the queries, keys and values of attention lie: kernels/attention.hpp, which is in another library.

#include <cstdint>
#include <span>

#include "core/kernel.hpp"

namespace thalweg::cuda {

struct AttentionSizes {
  /// The input that holds it, its first element, and steps along time and batch, in elements.
  struct Part {
    std::size_t input = 0;
    std::int64_t offset = 0, time = 0, batch = 0;
  };

  std::int64_t batch, queries, keys, heads, width;
  Part q = {}, k = {}, v = {};

  explicit AttentionSizes(std::span<const Signature> inputs) {
    const auto first = inputs.front().shape.sizes(), last = inputs.back().shape.sizes();
    batch = first[0], queries = first[1], keys = last[1];
    heads = first[first.size() - 2], width = first[first.size() - 1];
    const auto part = [&](std::size_t input, std::int64_t place, std::int64_t parts) {
      const std::int64_t row = heads * width, time = parts * row;
      return Part{input, place * row, time, inputs[input].shape.sizes()[1] * time};
    };
    const bool packed = inputs.size() == 1, pair = inputs.size() == 2;
    q = part(0, 0, packed ? 3 : 1);
    k = packed ? part(0, 1, 3) : pair ? part(1, 0, 2) : part(1, 0, 1);
    v = packed ? part(0, 2, 3) : pair ? part(1, 1, 2) : part(2, 0, 1);
  }
  [[nodiscard]] std::int64_t items() const { return batch * heads; }
};

}  // namespace thalweg::cuda
