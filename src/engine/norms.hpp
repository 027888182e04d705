#pragma once
// Norms of a gradient: over all stepped parameters, and for each layer.

#include <optional>
#include <string>
#include <vector>

#include "engine/shards.hpp"
#include "optim/segments.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The norm of the gradient of all stepped parameters; the gradients of frozen groups are left out.
class GradientNorm {
 public:
  /// Of gradients in the memory of a device, or here where that is null.
  GradientNorm(const Optimizer& optimizer, const Layout& layout, Device* far = nullptr);
  /// The workers are the same at each call.
  [[nodiscard]] double of(std::byte* gradient, Workers& workers);

  /// In parts, on a device: the sums of squares, and what they make. The sums are numbers of eight bytes each, of these
  /// dtypes.
  void sum(std::byte* gradient, std::byte* sums, Workers& workers);
  [[nodiscard]] const std::vector<DType>& sum_dtypes() const { return dtypes_; }
  /// Their total, which is the square of the norm where it is `in_range`.
  [[nodiscard]] double total(const std::byte* sums) const;
  /// Below it, squares that underflowed may matter.
  [[nodiscard]] double least() const { return dtype_ == f32 ? 1e-25 : 1e-290; }

 private:
  /// The same for numbers whose squares leave the range of their dtype.
  [[nodiscard]] double at_any_size(const std::byte* gradient) const;

  Device* far_;
  std::vector<Segment> pieces_;
  DType dtype_;
  std::vector<DType> dtypes_;  // the type in which the sum of each piece is written, in eight bytes of its own
  std::vector<double> sums_;
  std::optional<Program> program_;
  Block arena_, sums_there_;
  Program::Calls calls_ = {};
  const std::byte *last_ = nullptr, *last_sums_ = nullptr;  // what the calls are for
};

/// The layers that are trained, in the order of their parameters: "hidden" of "hidden/weight" and "hidden/norm/bias".
/// Where all have a path in common, one level below it: "d/hidden" and "d/output".
[[nodiscard]] std::vector<std::string> layers_of(const Layout& layout);

/// The norm of each layer's gradient.
class LayerNorms {
 public:
  explicit LayerNorms(const Layout& layout, Device* far = nullptr);
  /// Of a flat gradient divided by `weight`, in the order of layers_of; infinite where it is not finite. The pool is of
  /// the memory that the gradient is in.
  [[nodiscard]] std::vector<double> of(std::byte* gradient, double weight, BlockPool& pool, Workers& workers) const;

 private:
  std::size_t layers_;
  Program program_;
};

}  // namespace thalweg
