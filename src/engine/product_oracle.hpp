#pragma once
// The oracle of a method for an objective over rows of data.

#include "engine/products.hpp"
#include "thalweg/method.hpp"

namespace thalweg {

/// The mean loss over the rows, with a penalty l2/2 |x|^2 on the parameters with weight decay. A point x has all
/// trained parameters; dtype, seed and step are those of the state, so that random draws are the same at every point.
class ProductOracle : public Oracle {
 public:
  /// Products and rows must outlive it.
  ProductOracle(Products& asked, State at, const RowSelection& rows, double l2 = 0);

  [[nodiscard]] std::string_view kind() const override { return "a loss over rows"; }
  [[nodiscard]] bool offers(Need need) const override { return need != Need::residuals; }
  double value(const Tensor& x) override;
  double gradient(const Tensor& x, Tensor& gradient) override;
  void curvature(const Tensor& x, const Tensor& v, Tensor& product) override;
  void gauss_newton(const Tensor& x, const Tensor& v, Tensor& product) override;

  /// The trained parameters of the state.
  [[nodiscard]] Tensor start() const;
  /// The state with the parameters of a point.
  [[nodiscard]] const State& state_at(const Tensor& x);

 private:
  /// l2/2 |x|^2; adds factor l2 v to `result`, where there is one.
  double add_penalty(const Tensor& x, const Tensor& v, Tensor* result) const;

  Products& products_;
  State at_;
  const RowSelection& rows_;
  double l2_;
};

}  // namespace thalweg
