#pragma once
// An optimizer applied to one tensor, step by step.

#include "optim/update.hpp"
#include "thalweg/minimize.hpp"

namespace thalweg {

/// The layout of one parameter named "x", the shape of a tensor.
[[nodiscard]] Layout layout_of_one(const Tensor& x);

class Descent {
 public:
  /// The optimizer must outlive the Descent. Random numbers are drawn from the seed.
  Descent(const Optimizer& optimizer, const Tensor& x, std::uint64_t seed = 0);

  /// Updates x from the gradient, whose norm is given. Returns the rate of the step.
  double step(Tensor& x, Tensor& gradient, double norm, const Progress& progress);

  [[nodiscard]] const std::vector<std::pair<std::string, Tensor>>& slots() const { return slots_; }
  /// The slot whose name ends with `ending`.
  [[nodiscard]] Tensor& slot(std::string_view ending);
  /// The named numbers of the last step, in the order of the update's scalars.
  [[nodiscard]] const std::vector<double>& scalars() const { return scalars_; }

 private:
  const Optimizer& optimizer_;
  std::uint64_t seed_;
  UpdateProgram update_;
  std::vector<std::pair<std::string, Tensor>> slots_;
  std::vector<double> scalars_;
  std::vector<std::byte*> bases_;
  Block arena_;
  Workers alone_{1};
};

/// Value and gradient of a scalar function of one tensor, at tensors like `like`.
class Slope {
 public:
  Slope(const Function& f, const Tensor& like);
  double operator()(const Tensor& x, Tensor& gradient) const;
  /// The first op whose result is not finite there.
  [[nodiscard]] std::optional<std::string> find_not_finite(const Tensor& x) const;

 private:
  [[nodiscard]] Program program(Passes passes) const;

  Function function_;
  Shape shape_;
  DType dtype_;
  Program program_;
  Block arena_;
  mutable Workers alone_{1};
};

/// Moves x into the bounds of the options, element by element.
void keep_inside(Tensor& x, const MinimizeOptions& options);
/// The Euclidean norm of all elements.
[[nodiscard]] double norm_of(const Tensor& x);

}  // namespace thalweg
