// Convolution, and its derivatives by image and by filter. All three come from one trilinear form, the sum of y *
// conv(x, f): each is its derivative by one argument, so the derivatives of each are the other two.

#include "kernels/convolution.hpp"

#include "core/error.hpp"
#include "ops/spatial.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using Values = std::span<const Tensor>;
using Ints = std::vector<std::int64_t>;

void expect_images(std::string_view op, std::span<const Signature> in) {
  expect_float(op, in[0]);
  expect_same_dtype(op, in);
  for (const Signature& x : in) {
    if (x.shape.rank() != 4) fail<UsageError>("[{}] {}: four axes are wanted. Hint: images are NHWC.", op, x.shape);
  }
}

void expect_channels(std::string_view op, std::int64_t in, std::int64_t out, const Shape& filter, std::int64_t groups) {
  if (groups >= 1 && in == filter[2] * groups && out == filter[3] && out % groups == 0) return;
  fail<UsageError>(
      "[{}] {} channels to {} with filter {} and {} groups. Hint: a filter is (height, width, "
      "in / groups, out), and groups divides both.",
      op, in, out, filter, groups);
}

Signature infer_value(std::span<const Signature> in, const Attributes& a) {
  expect_images("convolution", in);
  const Shape &x = in[0].shape, &f = in[1].shape;
  expect_channels("convolution", x[3], f[3], f, a.ints[groups]);
  return {{x[0], a.ints[result_height], a.ints[result_width], f[3]}, in[0].dtype};
}

Signature infer_image(std::span<const Signature> in, const Attributes& a) {
  expect_images("convolution_image", in);
  const Shape &y = in[0].shape, &f = in[1].shape;
  expect_channels("convolution_image", f[2] * a.ints[groups], y[3], f, a.ints[groups]);
  return {{y[0], a.ints[result_height], a.ints[result_width], f[2] * a.ints[groups]}, in[0].dtype};
}

Signature infer_filter(std::span<const Signature> in, const Attributes& a) {
  expect_images("convolution_filter", in);
  const Shape &x = in[0].shape, &y = in[1].shape;
  const Shape f{a.ints[result_height], a.ints[result_width], x[3] / a.ints[groups], y[3]};
  expect_channels("convolution_filter", x[3], y[3], f, a.ints[groups]);
  return {f, in[0].dtype};
}

/// The relative `name` of the op at a site: the same geometry, a result like `like`.
Var relative(S s, std::string_view name, Var a, Var b, Var like, int height_axis) {
  Attributes attributes = s.attributes();
  attributes.ints[result_height] = like.dim(height_axis);
  attributes.ints[result_width] = like.dim(height_axis + 1);
  return apply(name, {a, b}, attributes);
}
Var value_of(S s, Var x, Var f, Var like) { return relative(s, "convolution", x, f, like, 1); }
Var image_of(S s, Var y, Var f, Var like) { return relative(s, "convolution_image", y, f, like, 1); }
Var filter_of(S s, Var x, Var y, Var like) { return relative(s, "convolution_filter", x, y, like, 0); }

Var value_transposed(S s, int input, Var g) {
  return input == 0 ? image_of(s, g, s.x(1), s.x(0)) : filter_of(s, s.x(0), g, s.x(1));
}
Var image_transposed(S s, int input, Var g) {
  return input == 0 ? value_of(s, g, s.x(1), s.x(0)) : filter_of(s, g, s.x(0), s.x(1));
}
Var filter_transposed(S s, int input, Var g) {
  return input == 0 ? image_of(s, s.x(1), g, s.x(0)) : value_of(s, s.x(0), g, s.x(1));
}

/// Samples lie along the batch, or the result is a sum over them, times an operand that does not depend on the batch.
SampleAxis image_samples_along(const SampleSite& site) {
  const SampleAxis image = site.inputs[0], filter = site.inputs[1], none;
  if (filter == none && (image == SampleAxis::along(0) || image.kind == SampleAxis::Kind::summed)) return image;
  return image == none && filter.kind == SampleAxis::Kind::summed ? filter : SampleAxis::mixed();
}

SampleAxis filter_samples_along(const SampleSite& site) {
  const SampleAxis batch = SampleAxis::along(0), x = site.inputs[0], y = site.inputs[1], none;
  if (x == batch && y == batch) return SampleAxis::summed();
  const bool sum_times_fixed =
      (x.kind == SampleAxis::Kind::summed && y == none) || (x == none && y.kind == SampleAxis::Kind::summed);
  return sum_times_fixed ? SampleAxis::summed() : SampleAxis::mixed();
}

/// The reference of the three ops, by plain loops over all seven indices.
enum class Open { value, image, filter };
Tensor plain_loops(Open open, const Tensor& first, const Tensor& second, const Shape& made, const Ints& a) {
  Tensor out(made, first.dtype());
  const Shape& x = open == Open::image ? made : first.shape();
  const Shape& f = open == Open::filter ? made : second.shape();
  const Shape& y = open == Open::value ? made : open == Open::image ? first.shape() : second.shape();
  const std::int64_t in = f[2], per_group = f[3] / a[groups];
  for (std::int64_t flat = 0; flat < y.size() * f[0] * f[1] * in; ++flat) {
    const std::int64_t c = flat % in, v = flat / in % f[1], u = flat / in / f[1] % f[0];
    const std::int64_t at_y = flat / in / f[1] / f[0];
    const std::int64_t o = at_y % y[3], j = at_y / y[3] % y[2], i = at_y / y[3] / y[2] % y[1],
                       b = at_y / y[3] / y[2] / y[1];
    const std::int64_t row = i * a[stride_height] - a[before_height] + u * a[dilation_height];
    const std::int64_t column = j * a[stride_width] - a[before_width] + v * a[dilation_width];
    if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
    const std::int64_t at_x = ((b * x[1] + row) * x[2] + column) * x[3] + o / per_group * in + c;
    const std::int64_t at_f = ((u * f[1] + v) * in + c) * f[3] + o;
    const auto add = [&](std::int64_t at, double term) { out.set(at, out.at(at) + term); };
    if (open == Open::value) add(at_y, first.at(at_x) * second.at(at_f));
    if (open == Open::image) add(at_x, first.at(at_y) * second.at(at_f));
    if (open == Open::filter) add(at_f, first.at(at_x) * second.at(at_y));
  }
  return out;
}

/// A geometry for the test samples; the attributes do not give the size of the result.
struct Geometry {
  Shape x, f, y;
  Ints ints;  // strides, dilations, places before, groups
};

std::vector<Geometry> geometries() {
  return {
      {{2, 5, 4, 2}, {3, 3, 2, 3}, {2, 5, 4, 3}, {1, 1, 1, 1, 1, 1, 1}},            // same
      {{1, 5, 6, 3}, {2, 3, 3, 2}, {1, 2, 2, 2}, {2, 2, 1, 1, 0, 0, 1}},            // strides, elements left over
      {{2, 6, 5, 1}, {2, 2, 1, 2}, {2, 4, 3, 2}, {1, 1, 2, 2, 0, 0, 1}},            // dilated
      {{1, 4, 3, 4}, {3, 2, 1, 4}, {1, 4, 4, 4}, {1, 1, 1, 1, 1, 1, 4}},            // depthwise
      {{1, 3, 4, 4}, {1, 2, 2, 6}, {1, 3, 4, 6}, {1, 1, 1, 1, 0, 1, 2}},            // two groups
      {{2, 1, 9, 2}, {1, 3, 2, 3}, {2, 1, 5, 3}, {1, 2, 1, 1, 0, 1, 1}},            // a sequence
      {{4, 16, 17, 16}, {3, 3, 16, 32}, {4, 8, 9, 32}, {2, 2, 1, 1, 1, 1, 1}},      // blocks of channels
      {{16, 20, 20, 24}, {3, 3, 24, 24}, {16, 20, 20, 24}, {1, 1, 1, 1, 1, 1, 1}},  // large enough for parts
      {{3, 9, 14, 16}, {3, 3, 16, 16}, {3, 9, 14, 16}, {1, 1, 1, 1, 1, 1, 1}},      // for Winograd's method
      {{3, 28, 7, 16}, {3, 3, 16, 48}, {3, 30, 5, 48}, {1, 1, 1, 1, 2, 0, 1}},      // the same, with other borders
  };
}

std::vector<Sample> samples_of(Open open, std::string_view name) {
  std::vector<Sample> samples;
  for (const Geometry& g : geometries()) {
    const Shape made = open == Open::value ? g.y : open == Open::image ? g.x : g.f;
    Ints ints = g.ints;
    const int height = open == Open::filter ? 0 : 1;
    ints.insert(ints.end(), {made[height], made[height + 1]});
    samples.push_back({.shapes = {open == Open::image ? g.y : g.x, open == Open::filter ? g.y : g.f},
                       .call =
                           [=](std::span<const Var> x) {
                             return apply(name, {x[0], x[1]}, with_ints(ints));
                           },
                       .expected = [=](Values x) { return plain_loops(open, x[0], x[1], made, ints); },
                       .low = g.x.size() > 1000 ? -0.5 : -2.0,
                       .high = g.x.size() > 1000 ? 0.5 : 2.0,
                       .tolerance = made.size() > 1000 ? 1000.0 : 10.0,
                       .differences = made.size() <= 1000});
  }
  return samples;
}

/// Each element of y is a sum over the filter's height, width and input channels.
std::int64_t operations_of(const Shape& y, const Shape& f) { return 2 * y.size() * f[0] * f[1] * f[2]; }

std::vector<Op> make_rows() {
  static const OpKernel value_kernel{
      .make = make_convolution,
      .operations = [](const KernelSite&s) { return operations_of(s.output.shape, s.inputs[1].shape); },
      .products = ComputesProducts::of_operands},
      image_kernel{.make = make_convolution_image,
                   .operations = [](const KernelSite&s) { return operations_of(s.inputs[0].shape, s.inputs[1].shape); },
                   .products = ComputesProducts::of_operands},
      filter_kernel{.make = make_convolution_filter,
                    .operations = [](const KernelSite&s) { return operations_of(s.inputs[1].shape, s.output.shape); },
                    .products = ComputesProducts::of_operands};
  return {
      {.name = "convolution",
       .formula = "y[i, j, o] = sum over u, v, c of x[i + u, j + v, c] f[u, v, c, o]",
       .arity = 2,
       .infer = infer_value,
       .transpose = value_transposed,
       .samples_along = image_samples_along,
       .kernel = &value_kernel,
       .samples = samples_of(Open::value, "convolution")},
      {.name = "convolution_image",
       .formula = "x[i + u, j + v, c] = sum over i, j, o of y[i, j, o] f[u, v, c, o]",
       .arity = 2,
       .infer = infer_image,
       .transpose = image_transposed,
       .samples_along = image_samples_along,
       .kernel = &image_kernel,
       .samples = samples_of(Open::image, "convolution_image")},
      {.name = "convolution_filter",
       .formula = "f[u, v, c, o] = sum over i, j of x[i + u, j + v, c] y[i, j, o]",
       .arity = 2,
       .infer = infer_filter,
       .transpose = filter_transposed,
       .samples_along = filter_samples_along,
       .kernel = &filter_kernel,
       .samples = samples_of(Open::filter, "convolution_filter")},
  };
}

Ints ints_of(Extent stride, Extent dilation, Extent before, std::int64_t group_count, Extent result) {
  return {stride.height, stride.width, dilation.height, dilation.width, before.height,
          before.width,  group_count,  result.height,   result.width};
}

constexpr std::int64_t most = std::int64_t{1} << 31;  // a product of two such sizes fits

void expect_sizes(std::string_view op, Extent stride, Extent dilation, std::int64_t group_count, Source source) {
  const auto [low, high] = std::minmax({stride.height, stride.width, dilation.height, dilation.width, group_count});
  if (low < 1 || high > most) {
    fail<UsageError>("[{}] stride {}, {}, dilation {}, {}, groups {}. Wanted: >= 1, at most 2^31.{}", op, stride.height,
                     stride.width, dilation.height, dilation.width, group_count, at(source));
  }
}

void expect_padding(std::string_view op, std::string_view what, std::initializer_list<Extent> sides, Source source) {
  for (const Extent& e : sides) {
    if (std::min(e.height, e.width) >= 0 && std::max(e.height, e.width) <= most) continue;
    fail<UsageError>("[{}] {} {}, {}. Wanted: >= 0, at most 2^31.{}", op, what, e.height, e.width, at(source));
  }
}

/// (batch, time, channels) as an image of one row.
Var as_image(Var x, Source source) {
  if (x.rank() != 3) fail<UsageError>("[conv1d] {}: (batch, time, channels) is wanted.{}", x.shape(), at(source));
  return reshape(x, {x.dim(0), 1, x.dim(1), x.dim(2)});
}

Extent reach_of(std::string_view op, Var x, Var filter, Extent dilation, Source source) {
  if (x.rank() != 4 || filter.rank() != 4) {
    fail<UsageError>(
        "[{}] image {}, filter {}: four axes each are wanted. Hint: images are (batch, height, width, "
        "channels), filters (height, width, in / groups, out).{}",
        op, x.shape(), filter.shape(), at(source));
  }
  return {(filter.dim(0) - 1) * dilation.height, (filter.dim(1) - 1) * dilation.width};
}

}  // namespace

std::span<const Op> convolution_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var conv2d(const Arg& x, const Arg& filter, const ConvolutionOptions& o) {
  const Source source = x.source();
  const Arg args[] = {x, filter};
  const std::vector<Var> vars = as_vars("conv2d", args);
  expect_sizes("conv2d", o.stride, o.dilation, o.groups, source);
  const Extent reach = reach_of("conv2d", vars[0], vars[1], o.dilation, source);
  const Extent before = o.padding.before(reach), after = o.padding.after(reach);
  if (!o.padding.is_same()) expect_padding("conv2d", "padding", {before, after}, source);
  const Extent result{
      windows_of("conv2d", vars[0].dim(1) + before.height + after.height, reach.height + 1, o.stride.height, source),
      windows_of("conv2d", vars[0].dim(2) + before.width + after.width, reach.width + 1, o.stride.width, source)};
  return apply("convolution", {Arg(vars[0], source), Arg(vars[1], source)},
               with_ints(ints_of(o.stride, o.dilation, before, o.groups, result)));
}

Var conv1d(const Arg& x, const Arg& filter, const ConvolutionOptions& o) {
  const Var image = as_image(var_of(x), x.source()), f = var_of(filter);
  const Var y = conv2d(Arg(image, x.source()), Arg(expand_dims(f, 0), filter.source()),
                       {.stride = {1, o.stride.width},
                        .padding = o.padding.along_width(),
                        .dilation = {1, o.dilation.width},
                        .groups = o.groups});
  return squeeze(y, 1);
}

Var conv_transpose2d(const Arg& x, const Arg& filter, const TransposedOptions& o) {
  const Source source = x.source();
  const Arg args[] = {x, filter};
  const std::vector<Var> vars = as_vars("conv_transpose2d", args);
  expect_sizes("conv_transpose2d", o.stride, o.dilation, o.groups, source);
  const Extent reach = reach_of("conv_transpose2d", vars[0], vars[1], o.dilation, source);
  const Extent before = o.padding.before(reach), after = o.padding.after(reach);
  if (!o.padding.is_same()) expect_padding("conv_transpose2d", "padding", {before, after}, source);
  expect_padding("conv_transpose2d", "output_padding", {o.output_padding}, source);
  const bool same = o.padding.is_same();  // the rest of a stride belongs to the last window
  const auto size = [&](std::int64_t n, std::int64_t stride, std::int64_t far, std::int64_t padding,
                        std::int64_t extra) {
    return same ? n * stride + extra : (n - 1) * stride + far + 1 - padding + extra;
  };
  const Extent result{
      size(vars[0].dim(1), o.stride.height, reach.height, before.height + after.height, o.output_padding.height),
      size(vars[0].dim(2), o.stride.width, reach.width, before.width + after.width, o.output_padding.width)};
  if (result.height < 1 || result.width < 1) {
    fail<UsageError>("[conv_transpose2d] {} with filter {} gives an image of {} x {}. Hint: less padding.{}",
                     vars[0].shape(), vars[1].shape(), result.height, result.width, at(source));
  }
  return apply("convolution_image", {Arg(vars[0], source), Arg(vars[1], source)},
               with_ints(ints_of(o.stride, o.dilation, before, o.groups, result)));
}

}  // namespace thalweg
