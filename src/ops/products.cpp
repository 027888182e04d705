// Products of matrices.

#include <numeric>

#include "core/error.hpp"
#include "kernels/matmul.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;

Signature infer_matmul(std::span<const Signature> in, const Attributes& a) {
  expect_float("matmul", in[0]);
  expect_same_dtype("matmul", in);
  const Shape &left = in[0].shape, &right = in[1].shape;
  const bool ta = a.ints[0] != 0, tb = a.ints[1] != 0;
  const std::int64_t m = ta ? left[-1] : left[-2], k = ta ? left[-2] : left[-1];
  const std::int64_t k2 = tb ? right[-1] : right[-2], n = tb ? right[-2] : right[-1];
  if (k != k2) {
    fail<UsageError>(
        "[matmul] {}{} x {}{}: the inner sizes differ, {} and {}. Hint: the last axis of the left is summed "
        "with the last but one of the right.",
        left, ta ? " transposed" : "", right, tb ? " transposed" : "", k, k2);
  }
  return {left.rank() == 3 ? Shape{left[0], m, n} : Shape{m, n}, in[0].dtype};
}

Var product(Var a, Var b, bool ta, bool tb) { return apply("matmul", {a, b}, with_ints({ta, tb})); }

/// y = A B with A = a or its transpose, and B likewise: A's cotangent is g B^T, B's is A^T g.
Var matmul_transposed(S s, int input, Var g) {
  const bool ta = s.attributes().ints[0] != 0, tb = s.attributes().ints[1] != 0;
  const Var a = s.x(0), b = s.x(1);
  if (input == 0) return ta ? product(b, g, tb, true) : product(g, b, false, !tb);
  return tb ? product(g, a, true, ta) : product(a, g, !ta, false);
}

SampleAxis matmul_samples_along(const SampleSite& site) {
  const bool ta = site.attributes.ints[0] != 0, tb = site.attributes.ints[1] != 0;
  const SampleAxis a = site.inputs[0], b = site.inputs[1];
  const int last = site.output.shape.rank() - 1;
  const int a_rows = ta ? last : last - 1, a_inner = ta ? last - 1 : last, b_inner = tb ? last : last - 1,
            b_columns = tb ? last - 1 : last;
  const SampleAxis none;
  if (last == 2 && (a == SampleAxis::along(0) || b == SampleAxis::along(0))) {  // a product for each sample
    const bool apart = (a == SampleAxis::along(0) || a == none) && (b == SampleAxis::along(0) || b == none);
    return apart ? SampleAxis::along(0) : SampleAxis::mixed();
  }
  if (a == SampleAxis::along(a_rows) && b == none) return SampleAxis::along(last - 1);
  if (a == none && b == SampleAxis::along(b_columns)) return SampleAxis::along(last);
  if (a == SampleAxis::along(a_inner) && b == SampleAxis::along(b_inner)) return SampleAxis::summed();
  const bool sum_times_fixed =
      (a.kind == SampleAxis::Kind::summed && b == none) || (a == none && b.kind == SampleAxis::Kind::summed);
  return sum_times_fixed ? SampleAxis::summed() : SampleAxis::mixed();
}

Tensor matmul_reference(std::span<const Tensor> x, bool ta, bool tb) {
  const Shape &a = x[0].shape(), &b = x[1].shape();
  const std::int64_t batch = a.rank() == 3 ? a[0] : 1;
  const std::int64_t m = ta ? a[-1] : a[-2], k = ta ? a[-2] : a[-1], n = tb ? b[-2] : b[-1];
  Tensor y(a.rank() == 3 ? Shape{batch, m, n} : Shape{m, n}, x[0].dtype());
  for (std::int64_t place = 0; place < y.size(); ++place) {
    const std::int64_t q = place / (m * n), i = place / n % m, j = place % n;
    double total = 0;
    for (std::int64_t p = 0; p < k; ++p) {
      total += x[0].at(q * m * k + (ta ? p * m + i : i * k + p)) * x[1].at(q * k * n + (tb ? j * k + p : p * n + j));
    }
    y.set(place, total);
  }
  return y;
}

std::vector<Sample> matmul_samples() {
  std::vector<Sample> samples;
  const auto add = [&](Shape a, Shape b, bool ta, bool tb) {
    samples.push_back({.shapes = {a, b},
                       .call = [=](std::span<const Var> x) { return matmul(x[0], x[1], ta, tb); },
                       .expected = [=](std::span<const Tensor> x) { return matmul_reference(x, ta, tb); },
                       .tolerance = 10});
  };
  add({5, 7}, {7, 3}, false, false);
  add({7, 5}, {7, 3}, true, false);
  add({5, 7}, {3, 7}, false, true);
  add({7, 5}, {3, 7}, true, true);
  add({6, 4}, {4, 1}, false, false);
  add({4, 6}, {4, 1}, true, false);
  add({2, 3, 4}, {2, 4, 5}, false, false);
  add({2, 4, 3}, {2, 5, 4}, true, true);
  add({41, 67}, {67, 35}, false, false);  // large enough for the library
  return samples;
}

/// A product whose sums have one term is elementwise: rows of the left along columns of the right.
std::optional<std::pair<View, View>> matmul_factors(const View& left, const View& right, const Attributes& a,
                                                    const Shape& output) {
  const bool ta = a.ints[0] != 0, tb = a.ints[1] != 0;
  if (left.shape[ta ? -2 : -1] != 1) return std::nullopt;
  const auto upright = [&](const View& view, bool turned) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(view.shape.rank()));
    std::iota(order.begin(), order.end(), 0);
    if (turned) std::swap(order[order.size() - 1], order[order.size() - 2]);
    return view.transpose(order).broadcast(output);
  };
  return std::pair(upright(left, ta), upright(right, tb));
}

std::vector<Op> make_rows() {
  static const OpKernel matmul_kernel{.make = make_matmul,
                                      .operations =
                                          [](const KernelSite& site) {
                                            return 2 * site.output.shape.size() *
                                                   site.inputs[0].shape[site.ints[0] != 0 ? -2 : -1];
                                          },
                                      .products = ComputesProducts::of_operands};
  return {{.name = "matmul",
           .formula = "sum over k of a[i, k] b[k, j]",
           .arity = 2,
           .infer = infer_matmul,
           .transpose = matmul_transposed,
           .factors = matmul_factors,
           .samples_along = matmul_samples_along,
           .kernel = &matmul_kernel,
           .samples = matmul_samples()}};
}

/// (..., rows, columns) with all leading axes made one, spread to `leading` first.
Var as_batch(Var x, const Shape& leading) {
  Shape full = leading;
  full.push_back(x.dim(-2));
  full.push_back(x.dim(-1));
  return reshape(broadcast_to(x, full), {leading.size(), x.dim(-2), x.dim(-1)});
}

Shape leading_axes(const Shape& shape) {
  return Shape(shape.sizes().first(static_cast<std::size_t>(shape.rank() - 2)));
}

Shape broadcast_leading(const Shape& a, const Shape& b, Source source) {
  Shape joined;
  const int rank = std::max(a.rank(), b.rank());
  for (int axis = -rank; axis < 0; ++axis) {
    const std::int64_t x = axis >= -a.rank() ? a[axis] : 1, y = axis >= -b.rank() ? b[axis] : 1;
    if (x != y && x != 1 && y != 1) {
      fail<UsageError>("[matmul] the leading axes {} and {} do not broadcast.{}", a, b, at(source));
    }
    joined.push_back(x == 1 ? y : x);
  }
  return joined;
}

}  // namespace

std::span<const Op> product_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var matmul(const Arg& a, const Arg& b) { return matmul(a, b, false, false); }

Var matmul(const Arg& a, const Arg& b, bool transpose_a, bool transpose_b) {
  const Arg args[] = {a, b};
  const std::vector<Var> vars = as_vars("matmul", args);
  Var x = vars[0], y = vars[1];
  const Source source = a.source();
  if (x.rank() == 0 || y.rank() == 0) {
    fail<UsageError>("[matmul] {} x {}: a scalar is no matrix. Hint: a * b.{}", x.shape(), y.shape(), at(source));
  }
  const bool row = x.rank() == 1, column = y.rank() == 1;
  if (row) x = reshape(x, transpose_a ? Shape{x.dim(0), 1} : Shape{1, x.dim(0)});
  if (column) y = reshape(y, transpose_b ? Shape{1, y.dim(0)} : Shape{y.dim(0), 1});
  Var z;
  Shape leading = leading_axes(x.shape());
  const auto multiply = [&](Var p, Var q) {
    Attributes attributes = with_ints({transpose_a, transpose_b});
    return x.graph().append(op_named("matmul"), {p, q}, std::move(attributes), source);
  };
  if (y.rank() == 2 && (x.rank() == 2 || !transpose_a)) {  // all rows of the left at once
    z = multiply(reshape(x, {leading.size() * x.dim(-2), x.dim(-1)}), y);
  } else {
    leading = broadcast_leading(leading, leading_axes(y.shape()), source);
    z = multiply(as_batch(x, leading), as_batch(y, leading));
  }
  Shape shape = leading;
  if (!row) shape.push_back(transpose_a ? x.dim(-1) : x.dim(-2));
  if (!column) shape.push_back(z.dim(-1));
  return reshape(z, shape);
}

Var dot(const Arg& a, const Arg& b) { return sum(a * b); }

}  // namespace thalweg
