#include "ops/symmetric.hpp"

#include "core/error.hpp"
#include "kernels/symmetric.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using In = std::span<const Var>;

Signature infer(std::span<const Signature> in, const Attributes&) {
  expect_float("symmetric", in[0]);
  const Shape& shape = in[0].shape;
  if (shape.rank() != 2 || shape[0] != shape[1] || !(in[1] == in[0]) || !(in[2] == Signature{{}, f64})) {
    fail<UsageError>("[symmetric] wants a square matrix, the value before in its shape, and an f64 scalar");
  }
  return in[0];
}

Signature infer_damped(std::span<const Signature> in, const Attributes& a) {
  if (!(in[3] == Signature{{}, f64})) fail<UsageError>("[symmetric] wants an f64 scalar as its ridge");
  return infer(in.first(3), a);
}

std::int64_t cube(const KernelSite& site) {
  const std::int64_t n = site.output.shape[0];
  return n * n * n;
}
// Operations in a step where the result is due, in units of n^3.
std::int64_t inverse_operations(const KernelSite& site) { return cube(site); }
std::int64_t root_operations(const KernelSite& site) { return 10 * cube(site); }
std::int64_t vectors_operations(const KernelSite& site) { return 9 * cube(site); }
std::int64_t iteration_operations(const KernelSite& site) { return 6 * cube(site); }

Var identity(const Var& like) {
  Tensor one(like.shape(), like.dtype());
  for (std::int64_t i = 0; i < like.dim(0); ++i) one.set(i * like.dim(0) + i, 1);
  return like.graph().constant(one);
}

/// The sample's matrix: symmetric, with eigenvalues from 1 on.
Var matrix_of(In x) { return matmul(x[0], x[0], false, true) + identity(x[0]); }

// The expected result for every matrix: the identity, and zeros below it.
Tensor expected(std::span<const Tensor> x) {
  const std::int64_t n = x[0].shape()[0];
  Tensor all({2 * n, n}, x[0].dtype());
  for (std::int64_t i = 0; i < n; ++i) all.set(i * n + i, 1);
  return all;
}

/// R R R R S - I for the inverse fourth root R, which is symmetric.
Var root_call(In x) {
  const Var s = matrix_of(x), r = inverse_root(s, x[1], s.graph().number(1, f64), 4, 0), half = matmul(r, r);
  return concat({matmul(matmul(half, half), s), r - transpose(r)});
}

/// R (S + I / 2) - I for the inverse R, which is symmetric.
Var inverse_call(In x) {
  const Var s = matrix_of(x);
  const Var r = damped_inverse(s, x[1], s.graph().number(1, f64), s.graph().number(0.5, f64));
  return concat({matmul(r, s + 0.5 * identity(s)), r - transpose(r)});
}

/// V^T V, and the off-diagonal part of V^T S V.
Var vectors_call(In x) {
  const Var s = matrix_of(x), v = eigenvectors(s, x[1], s.graph().number(1, f64));
  return concat({matmul(v, v, true, false), matmul(matmul(v, s, true, false), v) * (1 - identity(s))});
}

/// Q'^T Q', and the part of R = Q'^T S Q below the diagonal, with Q = I.
Var iteration_call(In x) {
  const Var s = matrix_of(x), q = orthogonal_iteration(s, identity(s), s.graph().number(1, f64));
  Tensor below(s.shape(), s.dtype());
  for (std::int64_t i = 0; i < s.dim(0); ++i) {
    for (std::int64_t j = 0; j < i; ++j) below.set(i * s.dim(0) + j, 1);
  }
  return concat({matmul(q, q, true, false), matmul(q, s, true, false) * s.graph().constant(below)});
}

Op row(std::string_view name, std::string_view formula, const OpKernel& kernel, Var (*call)(In), int arity = 3) {
  return {
      .name = name,
      .formula = formula,
      .arity = arity,
      .infer = arity == 3 ? infer : infer_damped,
      .kernel = &kernel,
      .samples = {
          {.shapes = {{4, 4}, {4, 4}}, .call = call, .expected = expected, .tolerance = 50, .differences = false},
          {.shapes = {{9, 9}, {9, 9}}, .call = call, .expected = expected, .tolerance = 500, .differences = false}}};
}

std::vector<Op> make_rows() {
  static const OpKernel root{.make = make_inverse_root, .operations = root_operations};
  static const OpKernel inverse{.make = make_damped_inverse, .operations = inverse_operations};
  static const OpKernel vectors{.make = make_eigenvectors, .operations = vectors_operations};
  static const OpKernel iteration{.make = make_orthogonal_iteration, .operations = iteration_operations};
  return {
      row("inverse_root", "(S + ridge I)^(-1/order), S symmetric; the last value in steps where it is not due", root,
          root_call),
      row("damped_inverse", "(S + ridge I)^-1, S symmetric; the last value in steps where it is not due", inverse,
          inverse_call, 4),
      row("eigenvectors", "V of S = V D V^T, S symmetric; the last value in steps where it is not due", vectors,
          vectors_call),
      row("orthogonal_iteration", "Q' of S Q = Q' R, S symmetric; Q where it is not due", iteration, iteration_call)};
}

}  // namespace

std::span<const Op> symmetric_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var inverse_root(Var symmetric, Var before, Var due, int order, double ridge) {
  Attributes attributes = with_ints({order});
  attributes.number = ridge;
  return apply("inverse_root", {symmetric, before, due}, attributes);
}

Var damped_inverse(Var symmetric, Var before, Var due, Var ridge) {
  return apply("damped_inverse", {symmetric, before, due, ridge});
}

Var eigenvectors(Var symmetric, Var before, Var due) { return apply("eigenvectors", {symmetric, before, due}); }

Var orthogonal_iteration(Var symmetric, Var orthogonal, Var due) {
  return apply("orthogonal_iteration", {symmetric, orthogonal, due});
}

}  // namespace thalweg
