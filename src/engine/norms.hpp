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
  /// For gradients in the memory of a device, or in host memory if that is null.
  GradientNorm(const Optimizer& optimizer, const Layout& layout, Device* far = nullptr);
  /// The workers must be the same at each call.
  [[nodiscard]] double of(std::byte* gradient, Workers& workers);

  /// The same in two parts, for a device: the sums of squares, and their total. The sums take eight bytes each and have
  /// these dtypes.
  void sum(std::byte* gradient, std::byte* sums, Workers& workers);
  [[nodiscard]] const std::vector<DType>& sum_dtypes() const { return dtypes_; }
  /// Their total, which is the square of the norm where it is `in_range`.
  [[nodiscard]] double total(const std::byte* sums) const;
  /// Whether this total is the square of the norm.
  [[nodiscard]] bool is_in_range(double squares) const;
  /// Below this limit, squares that underflowed may matter.
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
  const std::byte *last_ = nullptr, *last_sums_ = nullptr;  // the addresses for which the calls were made
};

/// The layers that are trained, in the order of their parameters: "hidden" of "hidden/weight" and "hidden/norm/bias".
/// If all have a common path, the level below it: "d/hidden" and "d/output".
[[nodiscard]] std::vector<std::string> layers_of(const Layout& layout);

/// The norm of each layer's gradient.
class LayerNorms {
 public:
  explicit LayerNorms(const Layout& layout, Device* far = nullptr);
  /// The norms for a flat gradient divided by `weight`, in the order of layers_of; infinite where a norm is not finite.
  /// The pool has the kind of memory that the gradient is in.
  [[nodiscard]] std::vector<double> of(std::byte* gradient, double weight, BlockPool& pool, Workers& workers) const;

 private:
  std::size_t layers_;
  Program program_;
};

}  // namespace thalweg
