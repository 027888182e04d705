#pragma once
// Methods: optimizers that own their steps. A chain of transforms is given one gradient; a method asks for values and
// derivatives at points that it chooses: line searches, trust regions, least squares.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

class Residuals;

/// The evaluations that a method may need.
enum class Need {
  gradient,      ///< the value and its gradient
  curvature,     ///< the Hessian times a vector
  gauss_newton,  ///< the Gauss-Newton matrix of a sum of squares, or of a loss on a model's output, times a vector
  residuals,     ///< the residuals, whose sum of squares is the value, and their derivatives
};
[[nodiscard]] std::string_view name(Need need);

/// A function that a method evaluates at points. Every value and derivative is exact, not a finite difference.
class Oracle {
 public:
  Oracle() = default;
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  virtual ~Oracle() = default;

  /// A description of it for messages: "a black box".
  [[nodiscard]] virtual std::string_view kind() const { return "this function"; }
  [[nodiscard]] virtual bool offers(Need need) const { return need == Need::gradient; }
  /// f(x)
  virtual double value(const Tensor& x) = 0;
  /// f(x), and its gradient, which has the dtype and size of x.
  virtual double gradient(const Tensor& x, Tensor& gradient) = 0;
  /// H(x) v. This and the functions below throw UsageError if they are not offered.
  virtual void curvature(const Tensor& x, const Tensor& v, Tensor& product);
  /// G(x) v with G = 2 J^T J for the sum of squares of residuals.
  virtual void gauss_newton(const Tensor& x, const Tensor& v, Tensor& product);
  [[nodiscard]] virtual const Residuals& residuals() const;
  /// Bounds, element by element; null where there are none.
  [[nodiscard]] virtual const Tensor* lower() const { return nullptr; }
  [[nodiscard]] virtual const Tensor* upper() const { return nullptr; }

  std::int64_t evaluations = 0;  ///< number of evaluations of the value, with or without its gradient
  std::int64_t products = 0;     ///< number of products of a matrix with a vector
};

/// The present point of a method.
struct MethodPoint {
  Tensor x, gradient;
  double value = 0;
};

/// A vector or a few numbers that belong to a method.
struct MethodSlot {
  std::string name;
  std::int64_t size = 0;
  DType dtype = f64;
  bool kept = true;  ///< kept between steps and saved in checkpoints; otherwise it is scratch memory
};

/// The slots of a method with their values. A resumed run needs only the slots with `kept`.
class MethodMemory {
 public:
  MethodMemory() = default;
  MethodMemory(const std::vector<MethodSlot>& slots);

  /// Throws UsageError for a name that no slot has.
  [[nodiscard]] Tensor& operator[](std::string_view name);
  /// A slot of f64, to read and to write.
  [[nodiscard]] std::span<double> numbers(std::string_view name) { return (*this)[name].mutable_values<double>(); }
  [[nodiscard]] std::vector<std::pair<std::string, Tensor>>& kept() { return kept_; }

 private:
  std::vector<std::pair<std::string, Tensor>> kept_, room_;
};

/// The result of a step.
struct MethodStep {
  bool moved = true;  ///< false: no better point was found, and x, value and gradient did not change
  double size = 0;    ///< the length along its direction, or the radius or damping: the counterpart of `lr` of a chain
  std::string_view why = {};  ///< the reason, if it did not move
};

class Method {
 public:
  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  /// The evaluations that it needs from the oracle.
  [[nodiscard]] virtual std::vector<Need> needs() const { return {Need::gradient}; }
  /// Whether its steps end inside bounds.
  [[nodiscard]] virtual bool keeps_bounds() const { return false; }
  /// Its memory for x. Numbers begin at 0.
  [[nodiscard]] virtual std::vector<MethodSlot> slots(const Tensor& x) const = 0;
  /// Moves a point, with its value and gradient, to the next one. All evaluations go through the oracle.
  virtual MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const = 0;
  /// Called where the gradient vanishes. Returns whether the method found a way down (from a saddle) and took it.
  virtual bool leave(MethodPoint&, MethodMemory&, Oracle&) const { return false; }
};

}  // namespace thalweg
