#pragma once
// Test cases of single ops, with sizes around those of blocks, tiles and lanes. Each can be run by this CPU's kernel
// and by the emitted text of its GPU kernel.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/index.hpp"
#include "cuda/driver.hpp"
#include "device/stored_operands.hpp"
#include "evaluate.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::testing {

/// Whether an op's text gives the bits of the CPU. The others use functions such as exp, or add in another order.
[[nodiscard]] inline bool is_exact(std::string_view op) {
  for (const std::string_view other : {"logsumexp", "softmax", "cumsum", "standardise", "standardise_pull", "attention",
                                       "attention_gradient", "rotary"}) {
    if (op == other) return false;
  }
  return true;
}

struct Case {
  std::string op;
  std::vector<Tensor> inputs;
  Signature output;
  std::vector<std::int64_t> ints = {};
  double number = 0;
  std::vector<Stored> stored = {};
  Stored result = Stored::plain;

  [[nodiscard]] std::string name() const {
    std::string text = op + "(";
    for (const Tensor& x : inputs) text += x.shape().str() + " " + std::string(thalweg::name(x.dtype())) + ", ";
    for (const std::int64_t i : ints) text += std::to_string(i) + " ";
    return text + ") -> " + output.shape.str() + (result == Stored::bf16 ? " bf16" : "");
  }

  /// Returns f(site), where the site refers to temporaries that live only during the call.
  template <class F>
  auto at_site(const F& f) const {
    std::vector<Signature> signatures;
    for (const Tensor& x : inputs) signatures.push_back({x.shape(), x.dtype()});
    return f(KernelSite{signatures, output, ints, number, stored, result});
  }
  [[nodiscard]] Kernel here() const {
    return at_site([&](const KernelSite& site) { return make_with_stored(*op_named(op).kernel, site); });
  }
  [[nodiscard]] std::optional<EmittedKernel> text() const {
    return at_site([&](const KernelSite& site) { return cuda::text_of_op(op, site); });
  }

  /// The result of a kernel. Operands begin one element behind an aligned address, like some parts of a parameter
  /// vector. Output and scratch are filled with a pattern before the call, and nothing may be written beyond their
  /// ends.
  [[nodiscard]] Tensor run(const Kernel& kernel) const {
    constexpr std::size_t fence = 256;
    const bool narrow_result = result == Stored::bf16;
    const std::size_t bytes = narrow_result ? output.bytes() / 2 : output.bytes();
    const std::size_t first = narrow_result ? sizeof(Bf16) : size_of(output.dtype);
    Block to(first + bytes + fence), scratch((kernel.scratch + 255) / 256 * 256 + fence);
    std::memset(to.data(), 0x7e, to.size());
    std::memset(scratch.data(), 0x7e, scratch.size());
    std::vector<Block> kept;
    std::vector<const std::byte*> from;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const bool is_narrow = !stored.empty() && stored[k] == Stored::bf16;
      const std::size_t element = is_narrow ? sizeof(Bf16) : size_of(inputs[k].dtype());
      kept.emplace_back(element + inputs[k].bytes());
      std::byte* const place = kept.back().data() + element;
      if (is_narrow) {
        narrow(reinterpret_cast<Bf16*>(place), reinterpret_cast<const float*>(inputs[k].raw()), inputs[k].size());
      } else {
        std::memcpy(place, inputs[k].raw(), inputs[k].bytes());
      }
      from.push_back(place);
    }
    Workers alone(1);
    std::byte* const out = to.data() + first;
    kernel.run({&out, from.data(), scratch.data(), alone});
    for (std::size_t i = 0; i < fence; ++i) {
      EXPECT_EQ(static_cast<int>(out[bytes + i]), 0x7e) << "beyond the output: " << name();
      EXPECT_EQ(static_cast<int>(scratch.data()[scratch.size() - fence + i]), 0x7e) << "beyond the scratch: " << name();
    }
    Tensor y(output.shape, output.dtype);
    if (narrow_result) {
      widen(reinterpret_cast<float*>(y.mutable_raw()), reinterpret_cast<const Bf16*>(out), y.size());
    } else {
      std::memcpy(y.mutable_raw(), out, bytes);
    }
    return y;
  }
};

inline Tensor drawn(const Shape& shape, DType dtype, std::uint64_t seed = 1, double low = -2, double high = 2) {
  return random_uniform(shape, low, high, seed, f64).to(dtype);
}
inline Tensor drawn_below(const Shape& shape, std::int64_t bound, std::uint64_t seed = 2) {
  return random_uniform(shape, 0, static_cast<double>(bound), seed, f64).to(i32);
}

// The cases of each family of ops, for elements of one type.
[[nodiscard]] std::vector<Case> row_cases(DType dtype);
[[nodiscard]] std::vector<Case> place_cases(DType dtype);
[[nodiscard]] std::vector<Case> scatter_cases(DType dtype);
[[nodiscard]] std::vector<Case> standardise_cases(DType dtype);
[[nodiscard]] std::vector<Case> image_cases(DType dtype);
[[nodiscard]] std::vector<Case> random_cases(DType dtype);
[[nodiscard]] std::vector<Case> attention_cases(DType dtype);
[[nodiscard]] std::vector<Case> all_cases(DType dtype);

}  // namespace thalweg::testing
