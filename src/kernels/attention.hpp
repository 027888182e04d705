#pragma once
// Attention, a block of queries at a time: the scores of a block live in scratch, and no (time x time) matrix exists.

#include "core/kernel.hpp"

namespace thalweg {

/// Where attention's inputs lie. They come as {qkv}, {q, kv} or {q, k, v}; what comes packed has an axis for its parts
/// before the heads: qkv (batch, time, 3, heads, width), kv (batch, time, 2, heads, width), else
/// (batch, time, heads, width). So what one product computes is read where it is, and nothing is transposed or copied.
struct AttentionShape {
  struct Part {
    int input;                         // which of the inputs holds it
    std::int64_t offset, time, batch;  // the first element, and steps along time and batch, in elements
  };
  std::int64_t batch, queries, keys, heads, width;
  Part q, k, v;

  /// `inputs` are those of the first one, two or three that hold queries, keys and values. It needs no symbol, so that
  /// libraries which are opened at run time can use it.
  static AttentionShape of(std::span<const Signature> inputs) {
    const auto first = inputs.front().shape.sizes(), last = inputs.back().shape.sizes();
    AttentionShape s{};
    s.batch = first[0], s.queries = first[1], s.keys = last[1];
    s.heads = first[first.size() - 2], s.width = first[first.size() - 1];
    const auto part = [&](int input, std::int64_t place, std::int64_t parts) {
      const std::int64_t row = s.heads * s.width, time = parts * row;
      return Part{input, place * row, time, inputs[static_cast<std::size_t>(input)].shape.sizes()[1] * time};
    };
    const bool packed = inputs.size() == 1, pair = inputs.size() == 2;
    s.q = part(0, 0, packed ? 3 : 1);
    s.k = packed ? part(0, 1, 3) : pair ? part(1, 0, 2) : part(1, 0, 1);
    s.v = packed ? part(0, 2, 3) : pair ? part(1, 1, 2) : part(2, 0, 1);
    return s;
  }
  [[nodiscard]] std::int64_t items() const { return batch * heads; }
};

/// softmax(scale q k^T) v -> (batch, queries, heads, width). ints: {causal, whether an input of i32 lengths (batch)
/// follows}; number: scale. Query i sees the keys up to i + keys - queries where it is causal, and those before the
/// length; one that sees none gives zeros.
[[nodiscard]] Kernel make_attention(const KernelSite& site);
/// The cotangent of the input ints[2], given that of the output as a last input. Recomputes the scores by blocks.
[[nodiscard]] Kernel make_attention_gradient(const KernelSite& site);

/// x (batch, time, heads, width) with the pairs (i, i + width / 2) of the first ints[0] heads turned by the angle
/// position * number^(-2 i / width), backwards where ints[1]; positions are i32 (time).
[[nodiscard]] Kernel make_rotary(const KernelSite& site);

}  // namespace thalweg
