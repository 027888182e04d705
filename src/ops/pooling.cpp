// Pooling (maxima and means over windows of an image), and resizing.

#include "kernels/pooling.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "ops/spatial.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using In = std::span<const Var>;
using Values = std::span<const Tensor>;
using Ints = std::vector<std::int64_t>;

Signature infer_windows(std::span<const Signature> in, const Attributes& a) {
  expect_float("pool", in[0]);
  const Shape& x = in[0].shape;
  return {{x[0], a.ints[pooled_height], a.ints[pooled_width], x[3]}, in[0].dtype};
}
Signature infer_like_first(std::span<const Signature> in, const Attributes&) { return in[0]; }
Signature infer_resized(std::span<const Signature> in, const Attributes& a) {
  expect_float("resize", in[0]);
  return {{in[0].shape[0], a.ints[0], a.ints[1], in[0].shape[3]}, in[0].dtype};
}

/// The op `name` with the sizes of its result taken from `like`.
Var pooled_like(S s, std::string_view name, std::initializer_list<Arg> args, Var like) {
  Attributes attributes = s.attributes();
  attributes.ints[pooled_height] = like.dim(1);
  attributes.ints[pooled_width] = like.dim(2);
  return apply(name, args, attributes);
}

Var resized_like(S s, std::string_view name, Var g, Var like) {
  return apply(name, {g}, with_ints({like.dim(1), like.dim(2), s.attributes().ints[2]}));
}

/// Each sample is computed by itself.
SampleAxis batch_samples_along(const SampleSite& site) {
  const SampleAxis result = elementwise_samples(site);
  return result.kind == SampleAxis::Kind::along && result.axis != 0 ? SampleAxis::mixed() : result;
}
SampleAxis linear_batch_samples_along(const SampleSite& site) {
  return site.inputs[0].kind == SampleAxis::Kind::summed ? site.inputs[0] : batch_samples_along(site);
}

/// Calls body(place of the window, place in the image) for all pairs, row by row.
template <class Body>
void each_in_window(const Shape& image, const Shape& result, const Ints& a, const Body& body) {
  for (std::int64_t flat = 0; flat < result.size(); ++flat) {
    const std::int64_t c = flat % result[3], j = flat / result[3] % result[2],
                       i = flat / result[3] / result[2] % result[1], b = flat / result[3] / result[2] / result[1];
    for (std::int64_t k = 0; k < a[window_height] * a[window_width]; ++k) {
      const std::int64_t row = i * a[step_height] - a[outside_height] + k / a[window_width];
      const std::int64_t column = j * a[step_width] - a[outside_width] + k % a[window_width];
      if (row < 0 || row >= image[1] || column < 0 || column >= image[2]) continue;
      body(flat, ((b * image[1] + row) * image[2] + column) * image[3] + c);
    }
  }
}

/// For each window, the place of its largest element.
Ints largest_places(const Tensor& x, const Shape& result, const Ints& a) {
  Ints places(static_cast<std::size_t>(result.size()), -1);
  each_in_window(x.shape(), result, a, [&](std::int64_t window, std::int64_t place) {
    auto& best = at(places, window);
    if (best < 0 || x.at(place) > x.at(best)) best = place;
  });
  return places;
}

struct Pooling {
  Shape image, result;
  Ints ints;
  [[nodiscard]] Attributes giving(const Shape& made) const {
    Ints all = ints;
    all.insert(all.end(), {made[1], made[2]});
    return with_ints(all);
  }
};
std::vector<Pooling> poolings() {
  return {{{2, 4, 6, 2}, {2, 2, 3, 2}, {2, 2, 2, 2, 0, 0}},     // side by side
          {{1, 5, 4, 3}, {1, 3, 2, 3}, {3, 3, 2, 2, 1, 1}},     // overlapping, padded
          {{1, 5, 7, 1}, {1, 2, 5, 1}, {2, 3, 2, 1, 0, 0}},     // a row left over
          {{3, 6, 6, 21}, {3, 3, 3, 21}, {2, 2, 2, 2, 0, 0}}};  // more channels than lanes
}

std::vector<Sample> max_pool_samples() {
  std::vector<Sample> samples;
  for (const Pooling& p : poolings()) {
    samples.push_back({.shapes = {p.image, p.image},
                       .call =
                           [=](In x) {
                             return apply("max_pool", {stop_gradient(x[0]), x[1]}, p.giving(p.result));
                           },
                       .expected =
                           [=](Values x) {
                             Tensor y(p.result, x[0].dtype());
                             const Ints places = largest_places(x[0], p.result, p.ints);
                             for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, x[1].at(at(places, i)));
                             return y;
                           }});
  }
  return samples;
}

std::vector<Sample> max_unpool_samples() {
  std::vector<Sample> samples;
  for (const Pooling& p : poolings()) {
    samples.push_back({.shapes = {p.image, p.result},
                       .call =
                           [=](In x) {
                             return apply("max_unpool", {stop_gradient(x[0]), x[1]}, p.giving(p.image));
                           },
                       .expected =
                           [=](Values x) {
                             Tensor y(p.image, x[0].dtype());
                             const Ints places = largest_places(x[0], p.result, p.ints);
                             for (std::int64_t i = 0; i < x[1].size(); ++i) {
                               const std::int64_t place = at(places, i);
                               y.set(place, y.at(place) + x[1].at(i));
                             }
                             return y;
                           }});
  }
  return samples;
}

std::vector<Sample> sum_pool_samples(bool transposed) {
  std::vector<Sample> samples;
  for (const Pooling& p : poolings()) {
    const Shape from = transposed ? p.result : p.image, to = transposed ? p.image : p.result;
    samples.push_back(
        {.shapes = {from},
         .call = [=](In x) { return apply(transposed ? "sum_unpool" : "sum_pool", {x[0]}, p.giving(to)); },
         .expected =
             [=](Values x) {
               Tensor y(to, x[0].dtype());
               each_in_window(p.image, p.result, p.ints, [&](std::int64_t window, std::int64_t place) {
                 const std::int64_t at_y = transposed ? place : window, at_x = transposed ? window : place;
                 y.set(at_y, y.at(at_y) + x[0].at(at_x));
               });
               return y;
             }});
  }
  return samples;
}

/// The weight of element i of `from` in element k of `to`: a tent (linear) or a box (nearest).
double resampling_weight(std::int64_t i, std::int64_t from, std::int64_t k, std::int64_t to, Resampling how) {
  const double n = static_cast<double>(from), m = static_cast<double>(to), at_k = static_cast<double>(k);
  if (how == Resampling::nearest) return i == static_cast<std::int64_t>(std::floor(at_k * n / m)) ? 1 : 0;
  const double at = how == Resampling::linear ? std::clamp((at_k + 0.5) * n / m - 0.5, 0.0, n - 1)
                                              : (to > 1 ? at_k * (n - 1) / (m - 1) : 0);
  return std::max(0.0, 1 - std::abs(at - static_cast<double>(i)));
}

std::vector<Sample> resize_samples(bool transposed) {
  std::vector<Sample> samples;
  for (const auto how : {Resampling::nearest, Resampling::linear, Resampling::linear_corners}) {
    const Shape small{2, 3, 4, 2}, large{2, 6, 7, 2};
    const Shape from = transposed ? large : small, to = transposed ? small : large;
    samples.push_back({.shapes = {from},
                       .call =
                           [=](In x) {
                             return apply(transposed ? "resize_transposed" : "resize", {x[0]},
                                          with_ints({to[1], to[2], static_cast<std::int64_t>(how)}));
                           },
                       .expected =
                           [=](Values x) {
                             Tensor y(to, x[0].dtype());
                             for (std::int64_t s = 0; s < small.size(); ++s) {
                               const std::int64_t c = s % 2, sj = s / 2 % small[2], si = s / 2 / small[2] % small[1],
                                                  b = s / 2 / small[2] / small[1];
                               for (std::int64_t k = 0; k < large[1] * large[2]; ++k) {
                                 const std::int64_t i = k / large[2], j = k % large[2];
                                 const double weight = resampling_weight(si, small[1], i, large[1], how) *
                                                       resampling_weight(sj, small[2], j, large[2], how);
                                 const std::int64_t l = ((b * large[1] + i) * large[2] + j) * 2 + c;
                                 const std::int64_t at_y = transposed ? s : l, at_x = transposed ? l : s;
                                 y.set(at_y, y.at(at_y) + weight * x[0].at(at_x));
                               }
                             }
                             return y;
                           }});
  }
  return samples;
}

std::vector<Op> make_rows() {
  static const OpKernel max_pool_kernel{.make = make_max_pool}, max_unpool_kernel{.make = make_max_unpool},
      sum_pool_kernel{.make = make_sum_pool}, sum_unpool_kernel{.make = make_sum_unpool},
      resize_kernel{.make = make_resize}, resize_transposed_kernel{.make = make_resize_transposed};
  return {
      {.name = "max_pool",
       .formula = "u at the place in each window where x is largest",
       .arity = 2,
       .infer = infer_windows,
       .transpose =
           [](S s, int i, Var g) {
             return i ? pooled_like(s, "max_unpool", {s.x(0), g}, s.x(0)) : Var{};
           },
       .samples_along = batch_samples_along,
       .kernel = &max_pool_kernel,
       .samples = max_pool_samples()},
      {.name = "max_unpool",
       .formula = "g added at the place in each window where x is largest",
       .arity = 2,
       .infer = infer_like_first,
       .transpose =
           [](S s, int i, Var g) {
             return i ? pooled_like(s, "max_pool", {s.x(0), g}, s.x(1)) : Var{};
           },
       .samples_along = batch_samples_along,
       .kernel = &max_unpool_kernel,
       .samples = max_unpool_samples()},
      {.name = "sum_pool",
       .formula = "the sum of x over each window",
       .infer = infer_windows,
       .transpose = [](S s, int, Var g) { return pooled_like(s, "sum_unpool", {g}, s.x()); },
       .samples_along = linear_batch_samples_along,
       .kernel = &sum_pool_kernel,
       .samples = sum_pool_samples(false)},
      {.name = "sum_unpool",
       .formula = "g added at all places of each window",
       .infer = infer_windows,
       .transpose = [](S s, int, Var g) { return pooled_like(s, "sum_pool", {g}, s.x()); },
       .samples_along = linear_batch_samples_along,
       .kernel = &sum_unpool_kernel,
       .samples = sum_pool_samples(true)},
      {.name = "resize",
       .formula = "an image of another size, by the nearest place or linearly between two",
       .infer = infer_resized,
       .transpose = [](S s, int, Var g) { return resized_like(s, "resize_transposed", g, s.x()); },
       .samples_along = linear_batch_samples_along,
       .kernel = &resize_kernel,
       .samples = resize_samples(false)},
      {.name = "resize_transposed",
       .formula = "each element added at the places from which resize takes it",
       .infer = infer_resized,
       .transpose = [](S s, int, Var g) { return resized_like(s, "resize", g, s.x()); },
       .samples_along = linear_batch_samples_along,
       .kernel = &resize_transposed_kernel,
       .samples = resize_samples(true)},
  };
}

void expect_image(std::string_view op, Var x, Source source) {
  if (x.rank() == 4) return;
  fail<UsageError>("[{}] {}: an image has four axes. Hint: (batch, height, width, channels).{}", op, x.shape(),
                   at(source));
}

Attributes windows(std::string_view op, const Arg& x, const PoolOptions& o) {
  const Source source = x.source();
  expect_image(op, var_of(x), source);
  const Extent step{o.stride.height ? o.stride.height : o.window.height,
                    o.stride.width ? o.stride.width : o.window.width};
  const Extent reach{o.window.height - 1, o.window.width - 1};
  const Extent before = o.padding.before(reach), after = o.padding.after(reach);
  const auto fits = [](std::int64_t padding, std::int64_t window) { return padding >= 0 && padding < window; };
  if (step.height < 1 || step.width < 1 || !fits(before.height, o.window.height) ||
      !fits(before.width, o.window.width) || !fits(after.height, o.window.height) ||
      !fits(after.width, o.window.width)) {
    fail<UsageError>("[{}] window {} x {}, stride {} x {}. Hint: both >= 1, and the padding below the window.{}", op,
                     o.window.height, o.window.width, step.height, step.width, at(source));
  }
  const Shape& shape = var_of(x).shape();
  return with_ints({o.window.height, o.window.width, step.height, step.width, before.height, before.width,
                    windows_of(op, shape[1] + before.height + after.height, o.window.height, step.height, source),
                    windows_of(op, shape[2] + before.width + after.width, o.window.width, step.width, source)});
}

/// A pool of images applied to (batch, time, channels).
Var over_time(Var (*pool)(const Arg&, const PoolOptions&), const Arg& x, const PoolOptions& o) {
  const Var v = var_of(x);
  if (v.rank() != 3) fail<UsageError>("[pool] {}: (batch, time, channels) is wanted.{}", v.shape(), at(x.source()));
  const Var image = reshape(v, {v.dim(0), 1, v.dim(1), v.dim(2)});
  return squeeze(
      pool(Arg(image, x.source()),
           {.window = {1, o.window.width}, .stride = {1, o.stride.width}, .padding = o.padding.along_width()}),
      1);
}

Axes places_of(const Arg& x) {
  std::vector<int> axes;
  for (int axis = 1; axis + 1 < var_of(x).rank(); ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

std::span<const Op> pooling_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Padding::Padding(const char* text) {
  const std::string name = text;
  same_ = name == "same";
  if (!same_ && name != "valid") fail<UsageError>("[padding] '{}'. Wanted: \"same\", \"valid\" or a number.", name);
}

Extent Padding::before(Extent reach) const { return same_ ? Extent{reach.height / 2, reach.width / 2} : before_; }
Extent Padding::after(Extent reach) const {
  return same_ ? Extent{reach.height - reach.height / 2, reach.width - reach.width / 2} : after_;
}
Padding Padding::along_width() const {
  Padding result = *this;
  result.before_.height = result.after_.height = 0;
  return result;
}

std::int64_t windows_of(std::string_view op, std::int64_t size, std::int64_t window, std::int64_t stride,
                        Source source) {
  if (window >= 1 && size >= window) return (size - window) / stride + 1;
  fail<UsageError>("[{}] a window of {} on {} places, padding included. Hint: a smaller window, or \"same\" padding.{}",
                   op, window, size, at(source));
}

Var max_pool2d(const Arg& x, const PoolOptions& options) {
  // the place of the largest element does not change with x, except where two are equal
  return apply("max_pool", {Arg(stop_gradient(x), x.source()), x}, windows("max_pool2d", x, options));
}
Var avg_pool2d(const Arg& x, const PoolOptions& options) {
  const auto size = static_cast<double>(options.window.height * options.window.width);
  return apply("sum_pool", {x}, windows("avg_pool2d", x, options)) / size;
}
Var max_pool1d(const Arg& x, const PoolOptions& options) { return over_time(max_pool2d, x, options); }
Var avg_pool1d(const Arg& x, const PoolOptions& options) { return over_time(avg_pool2d, x, options); }
Var global_avg_pool(const Arg& x) { return mean(x, places_of(x)); }
Var global_max_pool(const Arg& x) { return max(x, places_of(x)); }

Var upsample(const Arg& x, const UpsampleOptions& o) {
  expect_image("upsample", var_of(x), x.source());
  const bool linear = o.mode == "bilinear";
  if (o.scale.height < 1 || o.scale.width < 1 || (!linear && o.mode != "nearest")) {
    fail<UsageError>("[upsample] mode \"{}\", scale {} x {}. Hint: \"nearest\" or \"bilinear\", at least 1.{}", o.mode,
                     o.scale.height, o.scale.width, at(x.source()));
  }
  const auto how = !linear ? Resampling::nearest : o.align_corners ? Resampling::linear_corners : Resampling::linear;
  return apply(
      "resize", {x},
      with_ints({var_of(x).dim(1) * o.scale.height, var_of(x).dim(2) * o.scale.width, static_cast<std::int64_t>(how)}));
}

}  // namespace thalweg
