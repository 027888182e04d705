#pragma once
// Derivatives. On Vars they extend the trace; as functions on Tensors they trace, plan and run. The two compose:
// grad(grad(f)), the gradient of a gradient penalty, the forward derivative of a gradient.

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "thalweg/var.hpp"

namespace thalweg {

/// Reverse mode on Vars: the gradients of a scalar by each of `inputs`. An input that the scalar does not depend on
/// has gradient zero. Throws UsageError where y is not a scalar.
[[nodiscard]] std::vector<Var> gradients(const Arg& y, const std::vector<Var>& inputs);
/// J^T g: the cotangents of `inputs`, given those of `outputs`.
[[nodiscard]] std::vector<Var> vjp(const std::vector<Var>& outputs, const std::vector<Var>& cotangents,
                                   const std::vector<Var>& inputs);
/// J t: the tangents of `outputs`, given those of `inputs`. Forward mode.
[[nodiscard]] std::vector<Var> jvp(const std::vector<Var>& outputs, const std::vector<Var>& inputs,
                                   const std::vector<Var>& tangents);

/// A differentiable function of one or more values, called on Vars (inside a trace) or on Tensors (which traces,
/// plans and runs it, once for each set of shapes).
class Function {
 public:
  using Body = std::function<std::vector<Var>(std::span<const Var>)>;
  explicit Function(Body body);

  /// Any callable of one to four Vars, or of a span of them.
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, Function> && !std::same_as<std::remove_cvref_t<F>, Body>) Function(F f)
      : Function(Body([f](std::span<const Var> x) { return call(f, x); })) {}

  /// The first output.
  template <class... More>
  Var operator()(Var x, More... more) const {
    return trace(std::vector<Var>{x, more...}).front();
  }
  template <class... More>
  Tensor operator()(const Tensor& x, const More&... more) const {
    return run(std::vector<Tensor>{x, more...}).front();
  }
  [[nodiscard]] std::vector<Var> trace(const std::vector<Var>& inputs) const;
  [[nodiscard]] std::vector<Tensor> run(const std::vector<Tensor>& inputs) const;

 private:
  static std::vector<Var> wrap(Var y) { return {y}; }
  static std::vector<Var> wrap(std::vector<Var> y) { return y; }
  static std::vector<Var> wrap(const std::pair<Var, Var>& y) { return {y.first, y.second}; }
  [[noreturn]] static void wrong_count(std::size_t count);

  template <class F>
  static std::vector<Var> call(const F& f, std::span<const Var> x) {
    if constexpr (std::is_invocable_v<F, std::span<const Var>>) {
      return wrap(f(x));
    } else {
      if constexpr (std::is_invocable_v<F, Var>) {
        if (x.size() == 1) return wrap(f(x[0]));
      }
      if constexpr (std::is_invocable_v<F, Var, Var>) {
        if (x.size() == 2) return wrap(f(x[0], x[1]));
      }
      if constexpr (std::is_invocable_v<F, Var, Var, Var>) {
        if (x.size() == 3) return wrap(f(x[0], x[1], x[2]));
      }
      if constexpr (std::is_invocable_v<F, Var, Var, Var, Var>) {
        if (x.size() == 4) return wrap(f(x[0], x[1], x[2], x[3]));
      }
      wrong_count(x.size());
    }
  }

  struct Compiled;
  Body body_;
  std::shared_ptr<Compiled> compiled_;
};

/// The gradient by the first argument.
[[nodiscard]] Function grad(const Function& f);

/// Value and gradient by the first argument, in one pass.
class ValueAndGrad {
 public:
  explicit ValueAndGrad(const Function& f);
  template <class... More>
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const More&... more) const {
    auto both = both_.run(std::vector<Tensor>{x, more...});
    return {std::move(both[0]), std::move(both[1])};
  }
  template <class... More>
  std::pair<Var, Var> operator()(Var x, More... more) const {
    auto both = both_.trace(std::vector<Var>{x, more...});
    return {both[0], both[1]};
  }

 private:
  Function both_;
};
[[nodiscard]] inline ValueAndGrad value_and_grad(const Function& f) { return ValueAndGrad(f); }

/// H(x) v, without H: the forward derivative of the gradient. Called as hvp(f)(x, v).
[[nodiscard]] Function hvp(const Function& f);
/// J(x) t, called as jvp(f)(x, t).
[[nodiscard]] Function jvp(const Function& f);
/// J(x)^T g, called as vjp(f)(x, g).
[[nodiscard]] Function vjp(const Function& f);

/// The result of the comparison of an analytic gradient with central differences.
struct GradientReport {
  double largest_error = 0;  ///< the largest of |analytic - numeric| / max(1, |analytic|, |numeric|)
  std::int64_t worst = -1;   ///< the element with this error
  Tensor analytic, numeric;
  bool ok = false;  ///< largest_error <= tolerance
  [[nodiscard]] std::string str() const;
};
/// Compares grad(f) with central differences in f64, element by element; f is scalar-valued. `x` is converted to f64.
[[nodiscard]] GradientReport check_gradient(const Function& f, const Tensor& x, double tolerance = 1e-6,
                                            double step = 1e-5);

}  // namespace thalweg
