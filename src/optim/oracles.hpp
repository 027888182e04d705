#pragma once
// The functions that can be minimised: a function on Vars, a sum of squares, or a black box.

#include "optim/descent.hpp"
#include "optim/residuals.hpp"
#include "thalweg/method.hpp"

namespace thalweg {

/// As `minimize`, on any oracle. Throws UsageError where the optimizer needs something that the oracle does not offer.
[[nodiscard]] MinimizeResult minimize_oracle(Oracle& oracle, const Tensor& x0, const Optimizer& optimizer,
                                             const MinimizeOptions& options);

/// With the bounds of the options.
class BoundedOracle : public Oracle {
 public:
  explicit BoundedOracle(const MinimizeOptions& options) : options_(options) {}
  [[nodiscard]] const Tensor* lower() const override { return options_.lower ? &*options_.lower : nullptr; }
  [[nodiscard]] const Tensor* upper() const override { return options_.upper ? &*options_.upper : nullptr; }

 private:
  const MinimizeOptions& options_;
};

/// A scalar function of one tensor. Products are planned when they are first asked for.
class FunctionOracle : public BoundedOracle {
 public:
  FunctionOracle(const Function& f, const Tensor& like, const MinimizeOptions& options);
  [[nodiscard]] std::string_view kind() const override { return "a function without residuals"; }
  [[nodiscard]] bool offers(Need need) const override;
  double value(const Tensor& x) override;
  double gradient(const Tensor& x, Tensor& gradient) override;
  void curvature(const Tensor& x, const Tensor& v, Tensor& product) override;
  [[nodiscard]] const Slope& slope() const { return slope_; }

 private:
  Function function_;
  Slope slope_;
  Tensor unused_;  // a gradient that nobody reads
  std::optional<Program> curvature_;
  Block arena_;
  Workers alone_{1};
};

/// |r(x)|^2, in f64.
class SquaresOracle : public FunctionOracle {
 public:
  SquaresOracle(const Function& residuals, const Tensor& like, const MinimizeOptions& options);
  [[nodiscard]] bool offers(Need need) const override;
  void gauss_newton(const Tensor& x, const Tensor& v, Tensor& product) override;
  [[nodiscard]] const Residuals& residuals() const override { return residuals_; }

 private:
  Residuals residuals_;
  std::vector<double> along_;
};

class BlackBoxOracle : public BoundedOracle {
 public:
  BlackBoxOracle(const BlackBox& f, const Tensor& like, const MinimizeOptions& options)
      : BoundedOracle(options), function_(f), unused_(like.shape(), like.dtype()) {}
  [[nodiscard]] std::string_view kind() const override { return "a black box of value and gradient"; }
  double value(const Tensor& x) override { return gradient(x, unused_); }
  double gradient(const Tensor& x, Tensor& gradient) override {
    ++evaluations;
    return function_(x.values<double>(), gradient.mutable_values<double>());
  }

 private:
  const BlackBox& function_;
  Tensor unused_;
};

}  // namespace thalweg
