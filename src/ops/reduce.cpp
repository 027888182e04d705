// Reductions. The rows work on (outer, reduced, inner); sum, max and the rest bring any axes into that form.

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "graph/users_line.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;

Signature infer_reduce(std::span<const Signature> in, const Attributes& a) {
  const Shape& x = in[0].shape;
  expect_float(a.name, in[0]);
  if (a.name != "sum" && x[1] == 0) fail<UsageError>("[{}] of no elements: the shape is {}", a.name, x);
  return {{x[0], x[2]}, in[0].dtype};
}

Var spread(Var reduced, Var like) {
  const Shape& shape = like.shape();
  return broadcast_to(reshape(reduced, {shape[0], 1, shape[2]}), shape);
}

/// 1 / (number of equal extremes) at each of them.
Var share_of_extreme(S s) {
  const Var extreme = equal(s.x(), spread(s.y(), s.x()));
  return extreme / spread(sum(extreme, 1), s.x());
}

SampleAxis sum_samples_along(const SampleSite& site) {
  const SampleAxis input = site.inputs[0];
  if (input.kind != SampleAxis::Kind::along) return input;
  return input.axis == 1 ? SampleAxis::summed() : SampleAxis::along(input.axis / 2);
}

SampleAxis extreme_samples_along(const SampleSite& site) {
  const SampleAxis input = site.inputs[0];
  return input.kind == SampleAxis::Kind::along && input.axis != 1 ? SampleAxis::along(input.axis / 2)
                                                                  : SampleAxis::mixed();
}

std::vector<Sample> reduce_samples(Var (*call)(const Arg&, const Axes&, Keep), double (*join)(double, double),
                                   double start) {
  const auto sample = [=](Shape shape, std::vector<int> axes) {
    return Sample{.shapes = {shape},
                  .call = [=](std::span<const Var> x) { return call(x[0], axes, Keep::no); },
                  .expected =
                      [=](std::span<const Tensor> x) {
                        Shape kept, rest;
                        std::vector<char> reduced(static_cast<std::size_t>(shape.rank()), 0);
                        for (int axis : axes) at(reduced, axis) = 1;
                        for (int axis = 0; axis < shape.rank(); ++axis) {
                          kept.push_back(at(reduced, axis) ? 1 : shape[axis]);
                          if (!at(reduced, axis)) rest.push_back(shape[axis]);
                        }
                        Tensor y = full(rest, start, x[0].dtype());
                        for (std::int64_t flat = 0; flat < shape.size(); ++flat) {
                          std::int64_t left = flat, place = 0, scale = 1;
                          for (int axis = shape.rank() - 1; axis >= 0; --axis) {
                            place += (left % shape[axis]) % kept[axis] * scale;
                            scale *= kept[axis];
                            left /= shape[axis];
                          }
                          y.set(place, join(y.at(place), x[0].at(flat)));
                        }
                        return y;
                      }};
  };
  return {sample({3, 4, 5}, {0, 1, 2}), sample({3, 4, 5}, {1}), sample({3, 4, 5}, {0, 2}), sample({6, 5}, {0}),
          sample({7, 600}, {1}),        sample({300, 9}, {0}),  sample({5000}, {0})};
}

std::vector<Op> make_rows() {
  static const OpKernel sum_kernel{.micro = "sum"}, max_kernel{.micro = "max"}, min_kernel{.micro = "min"};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return {
      {.name = "sum",
       .formula = "x1 + x2 + ...",
       .kind = OpKind::reduce,
       .infer = infer_reduce,
       .transpose = [](S s, int, Var g) { return spread(g, s.x()); },
       .samples_along = sum_samples_along,
       .kernel = &sum_kernel,
       .samples = reduce_samples(
           sum, [](double a, double b) { return a + b; }, 0)},
      {.name = "max",
       .formula = "the largest element; equal ones share the gradient",
       .kind = OpKind::reduce,
       .infer = infer_reduce,
       .weights = share_of_extreme,
       .samples_along = extreme_samples_along,
       .kernel = &max_kernel,
       .samples = reduce_samples(
           max, [](double a, double b) { return std::max(a, b); }, -infinity)},
      {.name = "min",
       .formula = "the smallest element; equal ones share the gradient",
       .kind = OpKind::reduce,
       .infer = infer_reduce,
       .weights = share_of_extreme,
       .samples_along = extreme_samples_along,
       .kernel = &min_kernel,
       .samples = reduce_samples(
           min, [](double a, double b) { return std::min(a, b); }, infinity)},
  };
}

std::vector<char> reduced_axes(const Shape& shape, const Axes& axes, Source source, std::string_view op) {
  std::vector<char> reduced(static_cast<std::size_t>(shape.rank()), axes.all ? 1 : 0);
  for (int axis : axes.list) {
    char& mark = at(reduced, axis_of(op, shape, axis, source));
    if (mark) fail<UsageError>("[{}] axis {} of {} named twice.{}", op, axis, shape, at(source));
    mark = 1;
  }
  return reduced;
}

Shape shape_after(const Shape& shape, const std::vector<char>& reduced, Keep keep) {
  Shape result;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!at(reduced, axis)) {
      result.push_back(shape[axis]);
    } else if (keep == Keep::yes) {
      result.push_back(1);
    }
  }
  return result;
}

/// Adjacent reduced axes are reduced together, the last ones first.
Var reduce(std::string_view op, const Arg& arg, const Axes& axes, Keep keep) {
  if (is_i32(arg)) return cast(reduce(op, in_f64(arg), axes, keep), i32);
  Var x = var_of(arg);
  const Shape shape = x.shape();
  const std::vector<char> reduced = reduced_axes(shape, axes, arg.source(), op);
  std::int64_t inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0;) {
    if (!at(reduced, axis)) {
      inner *= shape[axis--];
      continue;
    }
    std::int64_t length = 1;
    while (axis >= 0 && at(reduced, axis)) length *= shape[axis--];
    if (length == 0 && op != "sum")
      fail<UsageError>("[{}] of no elements: the shape is {}{}", op, shape, at(arg.source()));
    std::int64_t outer = 1;
    for (int a = 0; a <= axis; ++a) outer *= shape[a];
    Attributes attributes;
    attributes.name = op;
    x = apply(op, {Arg(reshape(x, {outer, length, inner}), arg.source())}, attributes);
  }
  return reshape(x, shape_after(shape, reduced, keep));
}

std::int64_t count_of(const Shape& shape, const Axes& axes, Source source) {
  const std::vector<char> reduced = reduced_axes(shape, axes, source, "mean");
  std::int64_t count = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) count *= at(reduced, axis) ? shape[axis] : 1;
  return count;
}

/// The reduced axes moved to the end and made one: (kept..., reduced).
Var with_reduced_last(Var x, const std::vector<char>& reduced) {
  std::vector<int> order;
  Shape to;
  std::int64_t length = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (at(reduced, axis)) continue;
    order.push_back(axis);
    to.push_back(x.dim(axis));
  }
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!at(reduced, axis)) continue;
    order.push_back(axis);
    length *= x.dim(axis);
  }
  to.push_back(length);
  return reshape(order.empty() ? x : transpose(x, order), to);
}

/// All reduced axes as one, so that equal extremes share the gradient over all of them alike.
Var reduce_at_once(std::string_view op, const Arg& x, const Axes& axes, Keep keep) {
  const std::vector<char> reduced = reduced_axes(var_of(x).shape(), axes, x.source(), op);
  const auto begin = std::ranges::find(reduced, 1), end = std::find(begin, reduced.end(), 0);
  if (std::find(end, reduced.end(), 1) == reduced.end()) return reduce(op, x, axes, keep);
  const Var last = reduce(op, Arg(with_reduced_last(var_of(x), reduced), x.source()), -1, Keep::no);
  return reshape(last, shape_after(var_of(x).shape(), reduced, keep));
}

}  // namespace

std::span<const Op> reduce_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var sum(const Arg& x, const Axes& axes, Keep keep) { return reduce("sum", x, axes, keep); }
Var max(const Arg& x, const Axes& axes, Keep keep) { return reduce_at_once("max", x, axes, keep); }
Var min(const Arg& x, const Axes& axes, Keep keep) { return reduce_at_once("min", x, axes, keep); }

Var mean(const Arg& x, const Axes& axes, Keep keep) {
  const auto count = static_cast<double>(count_of(var_of(x).shape(), axes, x.source()));
  return Arg(sum(x, axes, keep), x.source()) / count;
}

Var variance(const Arg& x, const Axes& axes, Keep keep) {
  static_cast<void>(reduced_axes(var_of(x).shape(), axes, x.source(), "variance"));  // a wrong axis is named as of it
  const UsersLine line(x.source());
  const Var centre = mean(x, axes, Keep::yes);
  return mean(square(x - centre), axes, keep);
}

Var norm(const Arg& x, const Axes& axes, Keep keep) {
  if (!is_float(var_of(x).dtype()))
    fail<UsageError>("[norm] {} given. Hint: tw::cast(x, tw::f32).{}", var_of(x).dtype(), at(x.source()));
  static_cast<void>(reduced_axes(var_of(x).shape(), axes, x.source(), "norm"));
  const UsersLine line(x.source());
  if (var_of(x).size() == 0) return sum(x, axes, keep);
  // Divided by a power of 2 near the largest, which does not round: no square overflows, and not all squares vanish.
  const Var largest = stop_gradient(max(abs(x), axes, Keep::yes));
  const Var usable = (largest > 0) * (largest < std::numeric_limits<double>::infinity());
  const double least = var_of(x).dtype() == f32 ? -126 : -1022;  // exponents below it have fewer digits
  const Var scale = exp2(maximum(floor(log2(where(usable, largest, 1))) - 1, least));
  const Var squares = sum(square(x / scale), axes, keep);
  const Var zero = equal(squares, 0);  // the root has no derivative at 0; as in PyTorch it is taken as 0
  return where(zero, 0, sqrt(where(zero, 1, squares))) * reshape(scale, squares.shape());
}

Var prod(const Arg& arg, const Axes& axes, Keep keep) {
  if (is_i32(arg)) return cast(prod(in_f64(arg), axes, keep), i32);
  const Shape shape = var_of(arg).shape();
  const std::vector<char> reduced = reduced_axes(shape, axes, arg.source(), "prod");
  // Halves are multiplied until one element is left: derivatives of every order hold, at zeros too.
  Var x = with_reduced_last(var_of(arg), reduced);
  if (x.dim(-1) == 0) return broadcast_to(as_var(1, var_of(arg)), shape_after(shape, reduced, keep));
  while (x.dim(-1) > 1) {
    const std::int64_t n = x.dim(-1), half = n / 2;
    const Var pairs = slice(x, 0, half, -1) * slice(x, half, 2 * half, -1);
    x = n % 2 ? concat({pairs, slice(x, n - 1, n, -1)}, -1) : pairs;
  }
  return reshape(x, shape_after(shape, reduced, keep));
}

Var logsumexp(const Arg& x, const Axes& axes, Keep keep) {
  const Shape shape = var_of(x).shape();
  const std::vector<char> reduced = reduced_axes(shape, axes, x.source(), "logsumexp");
  const LogSumExp parts = log_sum_exp(Arg(with_reduced_last(var_of(x), reduced), x.source()));
  return reshape(parts.largest + parts.rest, shape_after(shape, reduced, keep));
}

}  // namespace thalweg
