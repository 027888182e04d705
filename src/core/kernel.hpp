#pragma once
// Kernel: what runs one instruction of a Program. Made once, for given shapes; run any number of times, on any thread,
// without allocating.

#include <functional>
#include <span>
#include <string_view>

#include "core/bf16.hpp"
#include "core/signature.hpp"
#include "core/workers.hpp"

namespace thalweg {

/// The buffers of one run, in the order of the op's inputs and outputs; scratch is as large as the kernel asked for.
struct KernelCall {
  std::byte* const* outputs;
  const std::byte* const* inputs;
  std::byte* scratch;
  Workers& workers;

  template <class T>
  [[nodiscard]] const T* in(int i) const {
    return reinterpret_cast<const T*>(inputs[i]);
  }
  template <class T>
  [[nodiscard]] T* out(int i = 0) const {
    return reinterpret_cast<T*>(outputs[i]);
  }
};

struct Kernel {
  std::function<void(const KernelCall&)> run;
  std::size_t scratch = 0;  ///< bytes
  /// The same call, bound to buffers that do not move, so that work which depends on addresses alone is done once.
  /// Empty where binding gains nothing. The call's arrays and the kernel must outlive the result.
  std::function<std::function<void()>(const KernelCall&)> bind = {};
};

/// What a kernel is made for.
struct KernelSite {
  std::span<const Signature> inputs;
  Signature output;
  std::span<const std::int64_t> ints;  ///< the op's integers: axes, flags, sizes
  double number = 0;
  std::span<const Stored> stored = {};  ///< how each input lies in memory; none: all of them plain
  Stored result = Stored::plain;        ///< and the output
  std::string_view op = {};             ///< its name in the op table
};

/// Whether a kernel computes products, of which the operands may be stored in bf16.
enum class ComputesProducts : std::uint8_t {
  no,
  of_operands,  ///< of what it reads, and gives
  inside,       ///< of what it keeps to itself, in f32
};

/// How an op runs: elementwise ops and reductions name a micro-op of the tiles, others make a kernel.
struct OpKernel {
  std::string_view micro = {};
  Kernel (*make)(const KernelSite&) = nullptr;
  /// Floating-point operations, where they are not one for each element of the output.
  std::int64_t (*operations)(const KernelSite&) = nullptr;
  ComputesProducts products = ComputesProducts::no;
};

/// Work below this many elements is not worth handing to another worker; above it, it is split at multiples of it.
inline constexpr std::int64_t split_elements = 1 << 15;

}  // namespace thalweg
