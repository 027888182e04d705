#pragma once
// Kernel: runs one instruction of a Program. It is made once for given shapes, and can run any number of times, on any
// thread, without allocating.

#include <functional>
#include <span>
#include <string_view>

#include "core/bf16.hpp"
#include "core/signature.hpp"
#include "core/workers.hpp"

namespace thalweg {

/// The buffers of one run, in the order of the op's inputs and outputs; scratch has the size for which the kernel
/// asked.
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
  /// Binds the call to buffers that do not move, so that work which depends only on addresses is done once. Empty if
  /// binding gains nothing. The call's arrays and the kernel must outlive the result.
  std::function<std::function<void()>(const KernelCall&)> bind = {};
};

/// The shapes, types and attributes for which a kernel is made.
struct KernelSite {
  std::span<const Signature> inputs;
  Signature output;
  std::span<const std::int64_t> ints;  ///< the op's integers: axes, flags, sizes
  double number = 0;
  std::span<const Stored> stored = {};  ///< how each input is stored; empty if all are plain
  Stored result = Stored::plain;        ///< how the output is stored
  std::string_view op = {};             ///< its name in the op table
};

/// Whether a kernel computes products; the operands of those may be stored in bf16.
enum class ComputesProducts : std::uint8_t {
  no,
  of_operands,  ///< of its inputs and its result
  inside,       ///< of intermediate values only, in f32
};

/// How an op runs: elementwise ops and reductions name a micro-op of the tiles, other ops make a kernel.
struct OpKernel {
  std::string_view micro = {};
  Kernel (*make)(const KernelSite&) = nullptr;
  /// Floating-point operations, unless there is one for each element of the output.
  std::int64_t (*operations)(const KernelSite&) = nullptr;
  ComputesProducts products = ComputesProducts::no;
};

/// Work with fewer elements is not worth a second worker; larger work is split at multiples of this number.
inline constexpr std::int64_t split_elements = 1 << 15;

}  // namespace thalweg
