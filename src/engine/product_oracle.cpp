#include "engine/product_oracle.hpp"

#include "optim/elements.hpp"

namespace thalweg {

namespace {

ConstElements first(const Tensor& t, std::int64_t count) { return {t.raw(), count, t.dtype()}; }
Elements first(Tensor& t, std::int64_t count) { return {t.mutable_raw(), count, t.dtype()}; }

}  // namespace

ProductOracle::ProductOracle(Products& asked, State at, const RowSelection& rows, double l2)
    : products_(asked), at_(std::move(at)), rows_(rows), l2_(l2) {}

Tensor ProductOracle::start() const {
  Tensor x({at_.layout->trained_size}, at_.parameters.dtype());
  copy(first(at_.parameters, x.size()), x);
  return x;
}

const State& ProductOracle::state_at(const Tensor& x) {
  copy(x, first(at_.parameters, x.size()));
  return at_;
}

double ProductOracle::add_penalty(const Tensor& x, const Tensor& v, Tensor* result) const {
  if (l2_ == 0) return 0;
  const std::int64_t decayed = at_.layout->decayed_size;
  if (result) add(first(*result, decayed), l2_, first(v, decayed));
  return l2_ / 2 * dot(first(x, decayed), first(x, decayed));
}

double ProductOracle::value(const Tensor& x) {
  ++evaluations;
  return products_.value(state_at(x), rows_) + add_penalty(x, x, nullptr);
}

double ProductOracle::gradient(const Tensor& x, Tensor& gradient) {
  ++evaluations;
  const double loss = products_.gradient(state_at(x), rows_, gradient);
  return loss + add_penalty(x, x, &gradient);
}

void ProductOracle::curvature(const Tensor& x, const Tensor& v, Tensor& product) {
  ++products;
  products_.hessian_times(state_at(x), rows_, v, product);
  add_penalty(x, v, &product);
}

void ProductOracle::gauss_newton(const Tensor& x, const Tensor& v, Tensor& product) {
  ++products;
  products_.gauss_newton_times(state_at(x), rows_, v, product);
  add_penalty(x, v, &product);
}

}  // namespace thalweg
