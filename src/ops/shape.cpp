// Ops that move elements: views, which are absorbed by their readers, and three ops that copy (concat, pad, cast to
// i32).

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checked.hpp"
#include "core/error.hpp"
#include "kernels/rows.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using Ints = std::vector<std::int64_t>;

Ints sizes_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

Signature infer_sizes(std::span<const Signature> in, const Attributes& a) { return {Shape(a.ints), in[0].dtype}; }
Signature infer_same(std::span<const Signature> in, const Attributes&) { return in[0]; }

Signature infer_transpose(std::span<const Signature> in, const Attributes& a) {
  return {View::dense(in[0].shape).transpose(a.ints).shape, in[0].dtype};
}

Signature infer_slice(std::span<const Signature> in, const Attributes& a) {
  return {View::dense(in[0].shape).slice(static_cast<int>(a.ints[0]), a.ints[1], a.ints[2], a.ints[3]).shape,
          in[0].dtype};
}

Signature infer_concat(std::span<const Signature> in, const Attributes& a) {
  const int axis = static_cast<int>(a.ints[0]);
  expect_same_dtype("concat", in);
  Shape shape = in[0].shape;
  for (const Signature& part : in.subspan(1)) {
    Shape other = part.shape;
    if (other.rank() == shape.rank()) other.set(axis, shape[axis]);
    if (!(other == shape)) {
      fail<UsageError>("[concat] {} and {} along axis {}. Hint: all other sizes must be equal.", in[0].shape,
                       part.shape, axis);
    }
    shape.set(axis, checked_add(shape[axis], part.shape[axis], "concat"));
  }
  return {shape, in[0].dtype};
}

Signature infer_pad(std::span<const Signature> in, const Attributes& a) {
  Shape shape = in[0].shape;
  expect_float("pad", in[0]);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const auto* w = &at(a.ints, 3 * axis);
    const std::int64_t n = shape[axis];
    shape.set(axis, w[0] + w[1] + (n ? (n - 1) * w[2] + 1 : 0));
  }
  return {shape, in[0].dtype};
}

Signature infer_cast(std::span<const Signature> in, const Attributes& a) {
  return {in[0].shape, static_cast<DType>(a.ints[0])};
}

SampleAxis transpose_samples_along(const SampleSite& site) {
  const SampleAxis input = site.inputs[0];
  if (input.kind != SampleAxis::Kind::along) return input;
  const auto& order = site.attributes.ints;
  return SampleAxis::along(static_cast<int>(std::ranges::find(order, input.axis) - order.begin()));
}

SampleAxis broadcast_samples_along(const SampleSite& site) {
  const SampleAxis input = site.inputs[0];
  if (input.kind != SampleAxis::Kind::along) return input;
  const int shift = site.output.shape.rank() - site.signatures[0].shape.rank();
  const bool repeated = site.signatures[0].shape[input.axis] != site.output.shape[input.axis + shift];
  return repeated ? SampleAxis::mixed() : SampleAxis::along(input.axis + shift);
}

/// Ops that work along one axis, ints[0], and leave the others alone.
SampleAxis along_one_axis(const SampleSite& site) {
  const SampleAxis result = elementwise_samples(site);
  return result.kind == SampleAxis::Kind::along && result.axis == site.attributes.ints[0] ? SampleAxis::mixed()
                                                                                          : result;
}

SampleAxis slice_samples_along(const SampleSite& site) {
  return site.inputs[0].kind == SampleAxis::Kind::summed ? site.inputs[0] : along_one_axis(site);
}

SampleAxis pad_samples_along(const SampleSite& site) {
  const SampleAxis input = site.inputs[0];
  if (input.kind != SampleAxis::Kind::along) return input;
  return site.signatures[0].shape[input.axis] == site.output.shape[input.axis] ? input : SampleAxis::mixed();
}

SampleAxis same_samples(const SampleSite& site) { return site.inputs[0]; }

Var slice_transposed(S s, int, Var g) {
  const Ints& a = s.attributes().ints;
  const Shape& from = s.x().shape();
  Ints widths;
  for (int axis = 0; axis < from.rank(); ++axis) {
    const std::int64_t n = g.dim(axis);
    if (axis != a[0]) {
      widths.insert(widths.end(), {0, 0, 1});
    } else if (n == 0) {
      widths.insert(widths.end(), {0, from[axis], 1});
    } else {
      widths.insert(widths.end(), {a[1], from[axis] - (a[1] + (n - 1) * a[3] + 1), a[3]});
    }
  }
  return apply("pad", {g}, with_ints(widths));
}

Var pad_transposed(S s, int, Var g) {
  const Ints& w = s.attributes().ints;
  for (int axis = 0; axis < g.rank(); ++axis) {
    const auto k = static_cast<std::size_t>(3 * axis);
    const std::int64_t n = s.x().dim(axis);
    g = slice(g, w[k], w[k] + (n ? (n - 1) * w[k + 2] + 1 : 0), axis, w[k + 2]);
  }
  return g;
}

Var broadcast_transposed(S s, int, Var g) {
  const Shape& from = s.x().shape();
  const int shift = g.rank() - from.rank();
  std::vector<int> spread;
  for (int axis = 0; axis < g.rank(); ++axis) {
    if (axis < shift || from[axis - shift] != g.dim(axis)) spread.push_back(axis);
  }
  return reshape(spread.empty() ? g : sum(g, spread), from);
}

Var concat_transposed(S s, int input, Var g) {
  const int axis = static_cast<int>(s.attributes().ints[0]);
  std::int64_t begin = 0;
  for (int i = 0; i < input; ++i) begin += s.x(i).dim(axis);
  return slice(g, begin, begin + s.x(input).dim(axis), axis);
}

Tensor tensor_like(const Shape& shape, std::span<const Tensor> x) { return Tensor(shape, x[0].dtype()); }

/// Calls body(flat, index) for all places of a shape.
template <class Body>
void each_place(const Shape& shape, const Body& body) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
  for (std::int64_t flat = 0; flat < shape.size(); ++flat) {
    body(flat, index);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++at(index, axis) < shape[axis]) break;
      at(index, axis) = 0;
    }
  }
}

std::int64_t flat_of(const Shape& shape, std::span<const std::int64_t> index) {
  std::int64_t flat = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) flat = flat * shape[axis] + at(index, axis);
  return flat;
}

std::vector<Sample> transpose_samples() {
  return {{.shapes = {{2, 3, 4}},
           .call =
               [](std::span<const Var> x) {
                 return transpose(x[0], {2, 0, 1});
               },
           .expected =
               [](std::span<const Tensor> x) {
                 Tensor y = tensor_like({4, 2, 3}, x);
                 each_place(x[0].shape(), [&](std::int64_t flat, const Ints& i) {
                   y.set(flat_of(y.shape(), Ints{i[2], i[0], i[1]}), x[0].at(flat));
                 });
                 return y;
               }}};
}

std::vector<Sample> slice_samples() {
  const auto sample = [](std::int64_t begin, std::int64_t end, int axis, std::int64_t step, Shape to) {
    return Sample{.shapes = {{5, 6}},
                  .call = [=](std::span<const Var> x) { return slice(x[0], begin, end, axis, step); },
                  .expected =
                      [=](std::span<const Tensor> x) {
                        Tensor y = tensor_like(to, x);
                        each_place(to, [&](std::int64_t flat, Ints i) {
                          auto& moved = at(i, axis);
                          moved = (begin < 0 ? begin + x[0].shape()[axis] : begin) + moved * step;
                          y.set(flat, x[0].at(flat_of(x[0].shape(), i)));
                        });
                        return y;
                      }};
  };
  return {sample(1, 4, 0, 1, {3, 6}), sample(-4, 6, 1, 2, {5, 2})};
}

std::vector<Sample> pad_samples() {
  return {{.shapes = {{2, 3}},
           .call =
               [](std::span<const Var> x) {
                 return pad(x[0], {{1, 0}, {2, 1}}, 3);
               },
           .expected =
               [](std::span<const Tensor> x) {
                 Tensor y = full({3, 6}, 3, x[0].dtype());
                 each_place(x[0].shape(), [&](std::int64_t flat, const Ints& i) {
                   y.set(flat_of(y.shape(), Ints{i[0] + 1, i[1] + 2}), x[0].at(flat));
                 });
                 return y;
               }}};
}

std::vector<Sample> concat_samples() {
  return {{.shapes = {{2, 3}, {2, 1}, {2, 2}},
           .call =
               [](std::span<const Var> x) {
                 return concat({x.begin(), x.end()}, 1);
               },
           .expected =
               [](std::span<const Tensor> x) {
                 Tensor y = tensor_like({2, 6}, x);
                 std::int64_t shift = 0;
                 for (const Tensor& part : x) {
                   each_place(part.shape(), [&](std::int64_t flat, const Ints& i) {
                     y.set(flat_of(y.shape(), Ints{i[0], i[1] + shift}), part.at(flat));
                   });
                   shift += part.shape()[1];
                 }
                 return y;
               }}};
}

Tensor same_values(std::span<const Tensor> x, const Shape& shape) { return x[0].reshape(shape); }

std::vector<Op> make_rows() {
  static const OpKernel concat_kernel{.make = make_concat}, pad_kernel{.make = make_pad},
      to_i32_kernel{.make = make_to_i32};
  static const OpKernel copy_kernel{.micro = "copy"};
  using In = std::span<const Var>;
  using Values = std::span<const Tensor>;
  return {
      {.name = "reshape",
       .formula = "the same elements in row-major order",
       .kind = OpKind::view,
       .infer = infer_sizes,
       .transpose = [](S s, int, Var g) { return reshape(g, s.x().shape()); },
       .view = [](const View& x, const Attributes&, const Shape& to) { return x.reshape(to); },
       .form = Form::same,
       .samples_along = reshape_samples,
       .samples = {{.shapes = {{4, 6}},
                    .call =
                        [](In x) {
                          return reshape(x[0], {3, 8});
                        },
                    .expected =
                        [](Values x) {
                          return same_values(x, {3, 8});
                        }}}},
      {.name = "transpose",
       .formula = "axes in another order",
       .kind = OpKind::view,
       .infer = infer_transpose,
       .transpose =
           [](S s, int, Var g) {
             const Ints& order = s.attributes().ints;
             std::vector<int> back(order.size());
             for (std::size_t i = 0; i < order.size(); ++i) at(back, order[i]) = static_cast<int>(i);
             return transpose(g, back);
           },
       .view = [](const View& x, const Attributes& a, const Shape&) { return std::optional(x.transpose(a.ints)); },
       .samples_along = transpose_samples_along,
       .samples = transpose_samples()},
      {.name = "broadcast",
       .formula = "repeated along axes of size 1, and along new ones in front",
       .kind = OpKind::view,
       .infer = infer_sizes,
       .transpose = broadcast_transposed,
       .view = [](const View& x, const Attributes&, const Shape& to) { return std::optional(x.broadcast(to)); },
       .form = Form::same,
       .samples_along = broadcast_samples_along,
       .samples = {{.shapes = {{3, 1}},
                    .call =
                        [](In x) {
                          return broadcast_to(x[0], {2, 3, 4});
                        },
                    .expected =
                        [](Values x) {
                          Tensor y = tensor_like({2, 3, 4}, x);
                          each_place(y.shape(), [&](std::int64_t flat, const Ints& i) { y.set(flat, x[0].at(i[1])); });
                          return y;
                        }}}},
      {.name = "slice",
       .formula = "elements begin, begin + step, ... along one axis",
       .kind = OpKind::view,
       .infer = infer_slice,
       .transpose = slice_transposed,
       .view =
           [](const View& x, const Attributes& a, const Shape&) {
             return std::optional(x.slice(static_cast<int>(a.ints[0]), a.ints[1], a.ints[2], a.ints[3]));
           },
       .samples_along = slice_samples_along,
       .samples = slice_samples()},
      {.name = "stop_gradient",
       .formula = "x, a constant for derivatives",
       .kind = OpKind::view,
       .infer = infer_same,
       .view = [](const View& x, const Attributes&, const Shape&) { return std::optional(x); },
       .form = Form::same,
       .samples_along = same_samples,
       .samples = {{.shapes = {{3}},
                    .call = [](In x) { return stop_gradient(x[0]); },
                    .expected = [](Values x) { return x[0]; },
                    .differences = false}}},
      {.name = "per_shard",
       .formula = "x, which each shard may compute from its own samples",
       .kind = OpKind::view,
       .infer = infer_same,
       .transpose = [](S, int, Var g) { return g; },
       .view = [](const View& x, const Attributes&, const Shape&) { return std::optional(x); },
       .samples_along = [](const SampleSite&) { return SampleAxis{}; },
       .samples = {{.shapes = {{3}},
                    .call = [](In x) { return per_shard(x[0]); },
                    .expected = [](Values x) { return x[0]; }}}},
      {.name = "custom_derivative",
       .formula = "x, with a given derivative",
       .kind = OpKind::view,
       .arity = -1,
       .infer = infer_same,
       .view = [](const View& x, const Attributes&, const Shape&) { return std::optional(x); },
       .samples_along = same_samples,
       .samples = {{.shapes = {{3, 2}},
                    .call =
                        [](In x) {
                          return custom_derivative(
                              {x[0]}, [](In v) { return v[0] * v[0]; },
                              [](In v, Var, Var g) { return std::vector<Var>{2 * v[0] * g}; });
                        },
                    .expected =
                        [](Values x) {
                          Tensor y = x[0];
                          for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, x[0].at(i) * x[0].at(i));
                          return y;
                        }}}},
      {.name = "cast",
       .formula = "the same numbers in f32 or f64",
       .kind = OpKind::elementwise,
       .infer = infer_cast,
       .transpose = [](S s, int, Var g) { return is_float(s.x().dtype()) ? cast(g, s.x().dtype()) : Var{}; },
       .converts = true,
       .form = Form::same,
       .samples_along = same_samples,
       .kernel = &copy_kernel,
       .samples = {{.shapes = {{3, 5}},
                    .call = [](In x) { return cast(cast(x[0], f32), x[0].dtype()); },
                    .expected = [](Values x) { return x[0].to(f32).to(x[0].dtype()); },
                    .tolerance = 1e6,
                    .differences = false}}},
      {.name = "to_i32",
       .formula = "rounded towards zero",
       .infer = infer_cast,
       .samples_along = elementwise_samples,
       .kernel = &to_i32_kernel,
       .samples = {{.shapes = {{7}},
                    .call = [](In x) { return cast(cast(x[0], i32), x[0].dtype()); },
                    .expected = [](Values x) { return x[0].to(i32).to(x[0].dtype()); }}}},
      {.name = "concat",
       .formula = "the inputs one after another along an axis",
       .arity = -1,
       .infer = infer_concat,
       .transpose = concat_transposed,
       .jointly_linear = true,
       .samples_along = along_one_axis,
       .kernel = &concat_kernel,
       .samples = concat_samples()},
      {.name = "pad",
       .formula = "x with zeros around it",
       .infer = infer_pad,
       .transpose = pad_transposed,
       .samples_along = pad_samples_along,
       .kernel = &pad_kernel,
       .samples = pad_samples()},
  };
}

}  // namespace

std::span<const Op> shape_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var reshape(const Arg& x, const Shape& shape) {
  const Shape& from = var_of(x).shape();
  if (from.size() != shape.size()) {
    fail<UsageError>("[reshape] {} to {}: {} elements and {}.{}", from, shape, from.size(), shape.size(),
                     at(x.source()));
  }
  if (from == shape) return var_of(x);
  return apply("reshape", {x}, with_ints(sizes_of(shape)));
}

Var reshape(const Arg& x, std::initializer_list<std::int64_t> sizes) {
  const auto open = std::ranges::find(sizes, -1);
  if (open == sizes.end()) return reshape(x, Shape(sizes));
  if (std::ranges::count(sizes, -1) > 1) {
    fail<UsageError>("[reshape] ({}). Hint: one size alone may be -1.{}", fmt::join(sizes, ", "), at(x.source()));
  }
  Ints given(sizes);
  at(given, open - sizes.begin()) = 1;
  const std::int64_t all = var_of(x).size(), others = Shape(given).size();
  if (others == 0 || all % others != 0) {
    fail<UsageError>("[reshape] {} to ({}): no size in place of -1 fits {} elements.{}", var_of(x).shape(),
                     fmt::join(sizes, ", "), all, at(x.source()));
  }
  at(given, open - sizes.begin()) = all / others;
  return reshape(x, Shape(given));
}

Var flatten(const Arg& x, int from_axis) {
  const Shape& from = var_of(x).shape();
  if (from_axis < -from.rank() || from_axis > from.rank())
    fail<UsageError>("[flatten] from axis {} of {}, which has {} axes.{}", from_axis, from, from.rank(),
                     at(x.source()));
  if (from_axis < 0) from_axis += from.rank();
  Shape to;
  std::int64_t rest = 1;
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (axis < from_axis) {
      to.push_back(from[axis]);
    } else {
      rest *= from[axis];
    }
  }
  to.push_back(rest);
  return reshape(x, to);
}

Var transpose(const Arg& x, std::vector<int> order) {
  const Shape& from = var_of(x).shape();
  Ints axes;
  if (order.empty()) {
    for (int axis = from.rank() - 1; axis >= 0; --axis) axes.push_back(axis);
  }
  for (int axis : order) axes.push_back(axis_of("transpose", from, axis, x.source()));
  Ints sorted = axes, wanted(static_cast<std::size_t>(from.rank()));
  std::ranges::sort(sorted);
  std::iota(wanted.begin(), wanted.end(), 0);
  if (sorted != wanted) {
    fail<UsageError>("[transpose] the order {{{}}} of the axes of {}. Hint: each axis once.{}", fmt::join(order, ", "),
                     from, at(x.source()));
  }
  if (axes == wanted) return var_of(x);
  return apply("transpose", {x}, with_ints(axes));
}

Var broadcast_to(const Arg& x, const Shape& shape) {
  const Shape& from = var_of(x).shape();
  const int shift = shape.rank() - from.rank();
  bool fits = shift >= 0;
  for (int axis = 0; fits && axis < from.rank(); ++axis) fits = from[axis] == 1 || from[axis] == shape[axis + shift];
  if (!fits) {
    fail<UsageError>("[broadcast_to] {} to {}. Hint: sizes must be equal, or 1 in what is repeated.{}", from, shape,
                     at(x.source()));
  }
  if (from == shape) return var_of(x);
  return apply("broadcast", {x}, with_ints(sizes_of(shape)));
}

Var expand_dims(const Arg& x, int axis) {
  const Shape& from = var_of(x).shape();
  const int place = axis < 0 ? axis + from.rank() + 1 : axis;
  if (place < 0 || place > from.rank()) {
    fail<UsageError>("[expand_dims] axis {} for {}.{}", axis, from, at(x.source()));
  }
  Shape to;
  for (int a = 0; a <= from.rank(); ++a) to.push_back(a < place ? from[a] : a == place ? 1 : from[a - 1]);
  return reshape(x, to);
}

Var squeeze(const Arg& x, int axis) {
  const Shape& from = var_of(x).shape();
  const int place = axis_of("squeeze", from, axis, x.source());
  if (from[place] != 1)
    fail<UsageError>("[squeeze] axis {} of {} has size {}, not 1.{}", axis, from, from[place], at(x.source()));
  Shape to;
  for (int a = 0; a < from.rank(); ++a) {
    if (a != place) to.push_back(from[a]);
  }
  return reshape(x, to);
}

Var slice(const Arg& x, std::int64_t begin, std::int64_t end, int axis, std::int64_t step) {
  const Shape& from = var_of(x).shape();
  const int a = axis_of("slice", from, axis, x.source());
  const std::int64_t n = from[a];
  const std::int64_t first = begin < 0 ? begin + n : begin, last = end < 0 ? end + n : end;
  if (first < 0 || last > n || first > last || step < 1) {
    fail<UsageError>("[slice] {} to {} step {} along axis {} of {}. Hint: 0 <= begin <= end <= {}, step >= 1.{}", begin,
                     end, step, axis, from, n, at(x.source()));
  }
  if (first == 0 && last == n && step == 1) return var_of(x);
  return apply("slice", {x}, with_ints({a, first, last, step}));
}

Var slice(const Arg& x, std::int64_t begin) {
  return slice(x, begin, var_of(x).shape()[axis_of("slice", var_of(x).shape(), 0, x.source())]);
}

Var concat(const std::vector<Var>& parts, int axis, Source source) {
  if (parts.empty()) fail<UsageError>("[concat] no parts given{}", at(source));
  expect_defined("concat", parts[0], source);
  Graph& graph = parts[0].graph();
  return graph.append(op_named("concat"), parts, with_ints({axis_of("concat", parts[0].shape(), axis, source)}),
                      source);
}

Var stack(const std::vector<Var>& parts, int axis, Source source) {
  if (parts.empty()) fail<UsageError>("[stack] no parts given{}", at(source));
  expect_defined("stack", parts[0], source);
  for (const Var& part : parts) {
    expect_of_graph("stack", part, parts[0].graph(), source);
    if (!(part.shape() == parts[0].shape()))
      fail<UsageError>("[stack] {} and {}. Hint: all have the same shape.{}", parts[0].shape(), part.shape(),
                       at(source));
  }
  const int rank = parts[0].rank();
  if (axis < -rank - 1 || axis > rank)
    fail<UsageError>("[stack] axis {} for {}.{}", axis, parts[0].shape(), at(source));
  std::vector<Var> wider;
  for (const Var& part : parts) wider.push_back(expand_dims(Arg(part, source), axis));
  return concat(wider, axis, source);
}

Var pad(const Arg& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& widths, double value) {
  const Shape& from = var_of(x).shape();
  Ints ints;
  for (const auto& [before, after] : widths) {
    if (before < 0 || after < 0) fail<UsageError>("[pad] {} before and {} after.{}", before, after, at(x.source()));
    ints.insert(ints.end(), {before, after, 1});
  }
  if (count(widths) != from.rank()) {
    fail<UsageError>("[pad] {} pairs of widths for {}, which has {} axes.{}", widths.size(), from, from.rank(),
                     at(x.source()));
  }
  if (is_i32(x)) {
    if (value != std::floor(value))
      fail<UsageError>("[pad] {} beside i32. Hint: a whole number, or tw::cast(x, tw::f32).{}", value, at(x.source()));
    return cast(pad(in_f64(x), widths, value), i32);
  }
  const Var zero_padded = apply("pad", {x}, with_ints(ints));
  if (value == 0) return zero_padded;
  const Var inside = apply("pad", {broadcast_to(as_var(1, var_of(x)), from)}, with_ints(ints));
  return where(inside, zero_padded, value);
}

Var cast(const Arg& x, DType dtype) {
  const DType from = var_of(x).dtype();
  if (from == dtype) return var_of(x);
  if (is_float(dtype)) return apply("cast", {x}, with_ints({static_cast<std::int64_t>(dtype)}));
  if (dtype == i32 && is_float(from)) return apply("to_i32", {x}, with_ints({static_cast<std::int64_t>(i32)}));
  fail<UsageError>("[cast] {} to {}. Hint: to f32 or f64 from anything, to i32 from f32 or f64.{}", from, dtype,
                   at(x.source()));
}

Var per_shard(const Arg& x) { return apply("per_shard", {x}); }
Var stop_gradient(const Arg& x) { return apply("stop_gradient", {x}); }

Var custom_derivative(const std::vector<Var>& inputs, const std::function<Var(std::span<const Var>)>& forward,
                      const std::function<std::vector<Var>(std::span<const Var>, Var, Var)>& backward, Source source) {
  if (inputs.empty()) fail<UsageError>("[custom_derivative] no inputs given{}", at(source));
  std::vector<Var> all{stop_gradient(Arg(forward(inputs), source))};
  all.insert(all.end(), inputs.begin(), inputs.end());
  Attributes attributes;
  attributes.rule = backward;
  Graph& graph = all[0].graph();
  return graph.append(op_named("custom_derivative"), all, std::move(attributes), source);
}

}  // namespace thalweg
