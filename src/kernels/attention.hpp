#pragma once
// Attention, one block of queries at a time: only the scores of a block are stored, in scratch, never a (time x time)
// matrix.

#include "core/kernel.hpp"

namespace thalweg {

/// The layout of attention's inputs, which are {qkv}, {q, kv} or {q, k, v}. Packed inputs have an axis for their parts
/// before the heads: qkv (batch, time, 3, heads, width), kv (batch, time, 2, heads, width), otherwise (batch, time,
/// heads, width). The result of one product is thus read where it is, without transposing or copying.
struct AttentionShape {
  struct Part {
    int input;                         // index of the input that holds this part
    std::int64_t offset, time, batch;  // first element, and strides along time and batch, in elements
  };
  std::int64_t batch, queries, keys, heads, width;
  Part q, k, v;

  /// `inputs` are only those one, two or three that hold queries, keys and values. It is inline and needs no symbol, so
  /// that libraries that are opened at run time can use it.
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
/// follows}; number: scale. If causal, query i attends to the keys up to i + keys - queries; with lengths, only to keys
/// before the length. A query without any key gives zeros.
[[nodiscard]] Kernel make_attention(const KernelSite& site);
/// The cotangent of input ints[2], given that of the output as the last input. Recomputes the scores block by block.
[[nodiscard]] Kernel make_attention_gradient(const KernelSite& site);

/// Rotary position embedding of x (batch, time, heads, width): the pairs (i, i + width / 2) of the first ints[0] heads
/// are rotated by the angle position * number^(-2 i / width), backwards if ints[1] is set; positions are i32 (time).
[[nodiscard]] Kernel make_rotary(const KernelSite& site);

}  // namespace thalweg
