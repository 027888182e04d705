#include "optim/oracles.hpp"

#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

std::byte* address(const Tensor& t) { return const_cast<std::byte*>(t.raw()); }

/// H v: the forward derivative of the gradient along v.
Program curvature_program(const Function& f, const Tensor& like) {
  Graph graph;
  const Tracing tracing(graph);
  const Var x = graph.input("x", like.shape(), like.dtype()), v = graph.input("v", like.shape(), like.dtype());
  const Var g = gradients(f.trace({x}).front(), {x}).front();
  const Var product = jvp({g}, {x}, {v}).front();
  return Program(graph, {{x, {first_user_base, 0}}, {v, {first_user_base + 1, 0}}},
                 {{product, {first_user_base + 2, 0}}});
}

Function sum_of_squares(const Function& residuals) {
  return Function([=](Var x) { return sum(square(residuals.trace({x}).front())); });
}

}  // namespace

FunctionOracle::FunctionOracle(const Function& f, const Tensor& like, const MinimizeOptions& options)
    : BoundedOracle(options), function_(f), slope_(f, like), unused_(like.shape(), like.dtype()) {}

bool FunctionOracle::offers(Need need) const { return need == Need::gradient || need == Need::curvature; }

double FunctionOracle::value(const Tensor& x) { return gradient(x, unused_); }

double FunctionOracle::gradient(const Tensor& x, Tensor& gradient) {
  ++evaluations;
  return slope_(x, gradient);
}

void FunctionOracle::curvature(const Tensor& x, const Tensor& v, Tensor& product) {
  ++products;
  if (!curvature_) {
    curvature_.emplace(curvature_program(function_, unused_));
    arena_ = Block(curvature_->arena_bytes());
  }
  std::byte* bases[] = {address(x), address(v), product.mutable_raw()};
  curvature_->run(bases, arena_.data(), alone_);
}

SquaresOracle::SquaresOracle(const Function& residuals, const Tensor& like, const MinimizeOptions& options)
    : FunctionOracle(sum_of_squares(residuals), like, options),
      residuals_(residuals, like.size()),
      along_(static_cast<std::size_t>(residuals_.count())) {}

bool SquaresOracle::offers(Need need) const {
  return FunctionOracle::offers(need) || need == Need::gauss_newton || need == Need::residuals;
}

void SquaresOracle::gauss_newton(const Tensor& x, const Tensor& v, Tensor& product) {
  ++products;
  residuals_.along(x.values<double>(), v.values<double>(), along_);
  residuals_.against(x.values<double>(), along_, product.mutable_values<double>());
  for (double& p : product.mutable_values<double>()) p *= 2;
}

}  // namespace thalweg
