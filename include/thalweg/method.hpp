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

/// What a method may ask for.
enum class Need {
  gradient,      ///< the value and its gradient
  curvature,     ///< the Hessian times a vector
  gauss_newton,  ///< the Gauss-Newton matrix times a vector: of a sum of squares, or of a loss on a model's output
  residuals,     ///< the residuals whose squares the value is the sum of, and their derivatives
};
[[nodiscard]] std::string_view name(Need need);

/// A function that a method evaluates at points. Every value and derivative is exact, not a finite difference.
class Oracle {
 public:
  Oracle() = default;
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  virtual ~Oracle() = default;

  /// What it is, for messages: "a black box".
  [[nodiscard]] virtual std::string_view kind() const { return "this function"; }
  [[nodiscard]] virtual bool offers(Need need) const { return need == Need::gradient; }
  /// f(x)
  virtual double value(const Tensor& x) = 0;
  /// f(x), and its gradient, which has the dtype and size of x.
  virtual double gradient(const Tensor& x, Tensor& gradient) = 0;
  /// H(x) v. These throw UsageError where they are not offered.
  virtual void curvature(const Tensor& x, const Tensor& v, Tensor& product);
  /// G(x) v with G = 2 J^T J for the sum of squares of residuals.
  virtual void gauss_newton(const Tensor& x, const Tensor& v, Tensor& product);
  [[nodiscard]] virtual const Residuals& residuals() const;
  /// Bounds, element by element; null where there are none.
  [[nodiscard]] virtual const Tensor* lower() const { return nullptr; }
  [[nodiscard]] virtual const Tensor* upper() const { return nullptr; }

  std::int64_t evaluations = 0;  ///< of the value, with or without its gradient
  std::int64_t products = 0;     ///< of a matrix with a vector
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
  bool kept = true;  ///< from step to step, and in a checkpoint; else it is only scratch memory
};

/// The slots of a method at work. Those that are kept are all that a resumed run needs.
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

/// How a step went.
struct MethodStep {
  bool moved = true;          ///< false: nothing better was found, and x, value and gradient are as they were
  double size = 0;            ///< the length along its direction, or the radius or damping: what `lr` is for a chain
  std::string_view why = {};  ///< where it did not move
};

class Method {
 public:
  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  /// What it needs from the oracle.
  [[nodiscard]] virtual std::vector<Need> needs() const { return {Need::gradient}; }
  /// Whether its steps end inside bounds.
  [[nodiscard]] virtual bool keeps_bounds() const { return false; }
  /// Its memory for x. Numbers begin at 0.
  [[nodiscard]] virtual std::vector<MethodSlot> slots(const Tensor& x) const = 0;
  /// Moves a point, with its value and gradient, to the next one. All evaluations go through the oracle.
  virtual MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const = 0;
  /// Where the gradient vanishes: whether the method found a way down (from a saddle), and took it.
  virtual bool leave(MethodPoint&, MethodMemory&, Oracle&) const { return false; }
};

}  // namespace thalweg
