// Ops along the last axis, and on whole rows.

#include <cmath>

#include "core/error.hpp"
#include "graph/users_line.hpp"
#include "kernels/rows.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using In = std::span<const Var>;
using Values = std::span<const Tensor>;

Shape without_last(const Shape& shape) {
  return Shape(shape.sizes().first(static_cast<std::size_t>(shape.rank() - 1)));
}

void expect_rows(std::string_view op, const Signature& x) {
  expect_float(op, x);
  if (x.shape.rank() == 0 || x.shape[-1] == 0) fail<UsageError>("[{}] of no elements: the shape is {}", op, x.shape);
}

void expect_indices(std::string_view op, const Signature& indices) {
  if (indices.dtype != i32)
    fail<UsageError>("[{}] indices of {}. Hint: indices and labels are i32.", op, indices.dtype);
}

Signature infer_same(std::span<const Signature> in, const Attributes&) {
  expect_rows("rows", in[0]);
  return in[0];
}
Signature infer_logsumexp(std::span<const Signature> in, const Attributes&) {
  expect_rows("logsumexp", in[0]);
  Shape shape = without_last(in[0].shape);
  shape.push_back(2);
  return {shape, in[0].dtype};
}
Signature infer_argmax(std::span<const Signature> in, const Attributes&) {
  expect_rows("argmax", in[0]);
  return {without_last(in[0].shape), i32};
}
Signature infer_pick(std::span<const Signature> in, const Attributes&) {
  expect_rows("pick", in[0]);
  expect_indices("pick", in[1]);
  if (!(without_last(in[0].shape) == in[1].shape)) {
    fail<UsageError>("[pick] {} and labels {}. Hint: one label for each row, {}.", in[0].shape, in[1].shape,
                     without_last(in[0].shape));
  }
  return {in[1].shape, in[0].dtype};
}
Signature infer_gather(std::span<const Signature> in, const Attributes&) {
  expect_float("gather", in[0]);
  expect_indices("gather", in[1]);
  if (in[0].shape.rank() == 0) fail<UsageError>("[gather] from a scalar. Hint: the table is (rows, ...).");
  Shape shape = in[1].shape;
  for (int axis = 1; axis < in[0].shape.rank(); ++axis) shape.push_back(in[0].shape[axis]);
  return {shape, in[0].dtype};
}
Signature infer_scatter(std::span<const Signature> in, const Attributes& a) {
  expect_float("scatter_add", in[0]);
  expect_indices("scatter_add", in[1]);
  const Shape &updates = in[0].shape, &indices = in[1].shape;
  Shape shape{a.ints[0]};
  bool fits = updates.rank() >= indices.rank();
  for (int axis = 0; fits && axis < indices.rank(); ++axis) fits = updates[axis] == indices[axis];
  if (!fits)
    fail<UsageError>("[scatter_add] updates {} for indices {}. Hint: updates are (indices..., row...).", updates,
                     indices);
  for (int axis = indices.rank(); axis < updates.rank(); ++axis) shape.push_back(updates[axis]);
  return {shape, in[0].dtype};
}

/// 1 at the label of each row: compared in f64 where f32 cannot tell the labels apart.
Var label_mask(Var labels, std::int64_t classes, DType dtype) {
  const DType compare = classes > (1 << 24) ? f64 : dtype;
  const Var mask = equal(expand_dims(cast(labels, compare), -1), counted_up(labels, classes, compare));
  return cast(mask, dtype);
}

/// The table is the same for all samples; each sample looks up rows.
SampleAxis gather_samples_along(const SampleSite& site) {
  return site.inputs[0].kind == SampleAxis::Kind::none ? site.inputs[1] : SampleAxis::mixed();
}

/// Each sample adds to the table.
SampleAxis scatter_samples_along(const SampleSite& site) {
  const bool apart = site.inputs[0] == SampleAxis::along(0) && site.inputs[1] == SampleAxis::along(0);
  return apart ? SampleAxis::summed() : SampleAxis::mixed();
}

double log_sum(const Tensor& x, std::int64_t begin, std::int64_t n) {
  double largest = x.at(begin), total = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, x.at(begin + i));
  for (std::int64_t i = 0; i < n; ++i) total += std::exp(x.at(begin + i) - largest);
  return largest + std::log(total);
}

Tensor softmax_reference(Values x) {
  Tensor y = x[0];
  const std::int64_t n = y.shape()[-1];
  for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, std::exp(x[0].at(i) - log_sum(x[0], i / n * n, n)));
  return y;
}

Tensor logsumexp_reference(Values x) {
  const std::int64_t n = x[0].shape()[-1];
  Tensor y(without_last(x[0].shape()), x[0].dtype());
  for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, log_sum(x[0], i * n, n));
  return y;
}

Tensor cumsum_reference(Values x) {
  Tensor y = x[0];
  const std::int64_t n = y.shape()[-1];
  for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, x[0].at(i) + (i % n ? y.at(i - 1) : 0));
  return y;
}

Tensor argmax_reference(Values x) {
  const std::int64_t n = x[0].shape()[-1];
  Tensor y(without_last(x[0].shape()), x[0].dtype());
  for (std::int64_t row = 0; row < y.size(); ++row) {
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < n; ++i) best = x[0].at(row * n + i) > x[0].at(row * n + best) ? i : best;
    y.set(row, static_cast<double>(best));
  }
  return y;
}

Tensor pick_reference(Values x) {
  const std::int64_t n = x[0].shape()[-1];
  Tensor y(x[1].shape(), x[0].dtype());
  for (std::int64_t row = 0; row < y.size(); ++row)
    y.set(row, x[0].at(row * n + static_cast<std::int64_t>(x[1].at(row))));
  return y;
}

Tensor gather_reference(Values x) {
  const std::int64_t width = x[0].size() / x[0].shape()[0];
  Tensor y({x[1].shape()[0], x[1].shape()[1], width}, x[0].dtype());
  for (std::int64_t i = 0; i < y.size(); ++i) {
    y.set(i, x[0].at(static_cast<std::int64_t>(x[1].at(i / width)) * width + i % width));
  }
  return y;
}

Tensor scatter_reference(Values x) {
  const std::int64_t width = x[0].shape()[-1];
  Tensor y({5, width}, x[0].dtype());
  for (std::int64_t i = 0; i < x[0].size(); ++i) {
    const std::int64_t to = static_cast<std::int64_t>(x[1].at(i / width)) * width + i % width;
    y.set(to, y.at(to) + x[0].at(i));
  }
  return y;
}

std::vector<Op> make_rows() {
  static const OpKernel logsumexp_kernel{.make = make_logsumexp}, softmax_kernel{.make = make_softmax},
      argmax_kernel{.make = make_argmax}, cumsum_kernel{.make = make_cumsum}, gather_kernel{.make = make_gather},
      scatter_kernel{.make = make_scatter_add}, pick_kernel{.make = make_pick};
  return {
      {.name = "logsumexp",
       .formula = "m, the largest element along the last axis, and ln sum e^(x - m)",
       .infer = infer_logsumexp,
       .samples_along = rows_samples,
       .kernel = &logsumexp_kernel,
       .samples = {{.shapes = {{5, 7}},
                    .call = [](In x) { return logsumexp(x[0], -1); },
                    .expected = logsumexp_reference},
                   {.shapes = {{2, 1100}},
                    .call = [](In x) { return logsumexp(x[0], -1); },
                    .expected = logsumexp_reference}}},
      {.name = "softmax",
       .formula = "e^x / sum e^x along the last axis",
       .infer = infer_same,
       .pull = [](S s, int, Var g) { return s.y() * (g - sum(g * s.y(), -1, Keep::yes)); },
       .samples_along = rows_samples,
       .kernel = &softmax_kernel,
       .samples = {{.shapes = {{5, 7}}, .call = [](In x) { return softmax(x[0]); }, .expected = softmax_reference}}},
      {.name = "argmax",
       .formula = "the place of the first largest element along the last axis, i32",
       .infer = infer_argmax,
       .samples_along = rows_samples,
       .kernel = &argmax_kernel,
       .samples = {{.shapes = {{6, 9}},
                    .call = [](In x) { return cast(argmax(x[0]), x[0].dtype()); },
                    .expected = argmax_reference}}},
      {.name = "cumsum",
       .formula = "running sums along the last axis",
       .infer = infer_same,
       .transpose = [](S s, int, Var g) { return apply("cumsum", {g}, with_ints({1 - s.attributes().ints[0]})); },
       .samples_along = rows_samples,
       .kernel = &cumsum_kernel,
       .samples = {{.shapes = {{4, 6}}, .call = [](In x) { return cumsum(x[0]); }, .expected = cumsum_reference}}},
      {.name = "gather",
       .formula = "table[indices]",
       .arity = 2,
       .infer = infer_gather,
       .transpose = [](S s, int i, Var g) { return i ? Var{} : scatter_add(g, s.x(1), s.x(0).dim(0)); },
       .samples_along = gather_samples_along,
       .kernel = &gather_kernel,
       .samples = {{.shapes = {{5, 3}, {2, 4}},
                    .call = [](In x) { return gather(x[0], x[1]); },
                    .expected = gather_reference,
                    .indices = {{1, 5}}}}},
      {.name = "scatter_add",
       .formula = "zeros(rows, ...)[indices] += updates",
       .arity = 2,
       .infer = infer_scatter,
       .transpose = [](S s, int i, Var g) { return i ? Var{} : gather(g, s.x(1)); },
       .samples_along = scatter_samples_along,
       .kernel = &scatter_kernel,
       .samples = {{.shapes = {{6, 3}, {6}},
                    .call = [](In x) { return scatter_add(x[0], x[1], 5); },
                    .expected = scatter_reference,
                    .indices = {{1, 5}}}}},
      {.name = "pick",
       .formula = "x[..., labels]",
       .arity = 2,
       .infer = infer_pick,
       .transpose =
           [](S s, int i, Var g) {
             return i ? Var{} : where(label_mask(s.x(1), s.x(0).dim(-1), g.dtype()), expand_dims(g, -1), 0);
           },
       .samples_along = rows_samples,
       .kernel = &pick_kernel,
       .samples = {{.shapes = {{5, 7}, {5}},
                    .call = [](In x) { return pick(x[0], x[1]); },
                    .expected = pick_reference,
                    .indices = {{1, 7}}}}},
  };
}

/// Applies f to x with `axis` moved to the end, and moves it back.
template <class F>
Var along(std::string_view op, const Arg& x, int axis, bool keeps_axis, const F& f) {
  const Var v = var_of(x);
  const int at_axis = axis_of(op, v.shape(), axis, x.source()), last = v.rank() - 1;
  std::vector<int> order, back(static_cast<std::size_t>(v.rank()));
  for (int a = 0; a <= last; ++a) {
    if (a != at_axis) order.push_back(a);
  }
  order.push_back(at_axis);
  for (int i = 0; i <= last; ++i) at(back, at(order, i)) = i;
  const Var y = f(Arg(transpose(v, order), x.source()));
  return keeps_axis ? transpose(y, back) : y;
}

}  // namespace

std::span<const Op> row_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

namespace {

/// A plain whole number is an index, or a label.
Arg as_index(const Arg& x) {
  if (!x.is_number() || x.number() != std::floor(x.number())) return x;
  return {constant(full({}, x.number(), i32)), x.source()};
}

/// Ops that give as many elements as they get have nothing to do where there are none.
bool is_empty(const Arg& x) { return var_of(x).size() == 0 && is_float(var_of(x).dtype()); }

}  // namespace

Var softmax(const Arg& x, int axis) {
  if (is_empty(x)) return var_of(x);
  return along("softmax", x, axis, true, [](const Arg& v) { return apply("softmax", {v}); });
}
LogSumExp log_sum_exp(const Arg& rows) {
  const Var parts = apply("logsumexp", {rows});
  const Var largest = stop_gradient(squeeze(slice(parts, 0, 1, -1), -1));
  // written by hand: otherwise the cotangent of each part would be padded to the size of both
  const Var rest = custom_derivative(
      {var_of(rows)}, [&](std::span<const Var>) { return squeeze(slice(parts, 1, 2, -1), -1); },
      [largest](In x, Var y, Var g) {
        const Var share = exp((x[0] - expand_dims(largest, -1)) - expand_dims(y, -1));
        return std::vector<Var>{expand_dims(g, -1) * share};
      });
  return {largest, rest};
}
Var log_softmax(const Arg& x, int axis) {
  if (is_empty(x)) return var_of(x);
  return along("log_softmax", x, axis, true, [](const Arg& v) {
    const LogSumExp parts = log_sum_exp(v);
    return (v - expand_dims(parts.largest, -1)) - expand_dims(parts.rest, -1);
  });
}
Var argmax(const Arg& x, int axis) {
  return along("argmax", x, axis, false, [](const Arg& v) { return apply("argmax", {v}); });
}
Var cumsum(const Arg& x, int axis) {
  if (is_i32(x)) return cast(cumsum(in_f64(x), axis), i32);
  if (is_empty(x)) return var_of(x);
  return along("cumsum", x, axis, true, [](const Arg& v) { return apply("cumsum", {v}, with_ints({0})); });
}

Var gather(const Arg& table, const Arg& indices) { return apply("gather", {table, as_index(indices)}); }
Var scatter_add(const Arg& updates, const Arg& indices, std::int64_t rows) {
  return apply("scatter_add", {updates, as_index(indices)}, with_ints({rows}));
}
Var pick(const Arg& x, const Arg& labels) { return apply("pick", {x, as_index(labels)}); }

Var one_hot(const Arg& labels, std::int64_t classes, DType dtype) {
  if (var_of(labels).dtype() != i32 || classes < 1) {
    fail<UsageError>("[one_hot] labels of {} in {} classes. Hint: i32 labels, at least one class.{}",
                     var_of(labels).dtype(), classes, at(labels.source()));
  }
  return label_mask(var_of(labels), classes, dtype);
}

Var cross_entropy_with_labels(const Arg& logits, const Arg& labels) {
  const LogSumExp parts = log_sum_exp(logits);
  return parts.rest - (pick(logits, labels) - parts.largest);
}
Var cross_entropy_with_probabilities(const Arg& logits, const Arg& probabilities) {
  const UsersLine line(logits.source());
  return -sum(probabilities * log_softmax(logits), -1);
}
Var binary_cross_entropy_with_logits(const Arg& logits, const Arg& targets) {
  // -log sigmoid(x) and -log(1 - sigmoid(x)) are softplus(-|x|), plus |x| on the wrong side: nothing cancels, neither
  // here nor in the derivatives. At x = 0 both use the formula for x < 0.
  const UsersLine line(logits.source());
  const Arg above(logits > 0, logits.source());
  const Var surprise = softplus(where(above, -logits, logits));
  return surprise + logits * -(targets - above);
}

}  // namespace thalweg
