// Normalisation over a batch, a sample or a row.

#include <algorithm>

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "graph/users_line.hpp"
#include "nn/check_options.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

void expect_axes(std::string_view layer, const Scope& s, const Arg& x, int least) {
  if (var_of(x).rank() >= least && var_of(x).size() > 0) return;
  fail<UsageError>("[{}] an input of shape {} in '{}'. Hint: the input is (batch, ..., channels).{}", layer,
                   var_of(x).shape(), s.path(), at(x.source()));
}

/// The parameters "weight" and "bias" along the last axis; either may be left out.
struct Affine {
  Var weight, bias;
  Affine(const Scope& s, std::int64_t size, bool wanted, double start = 1, bool with_bias = true) {
    if (!wanted) return;
    weight = s.parameter("weight", {size}, {.initializer = init::constant(start), .decay = false});
    if (with_bias) bias = s.parameter("bias", {size}, {.decay = false});
  }
  [[nodiscard]] Var operator()(Var x) const {
    if (weight.defined()) x = x * weight;
    return bias.defined() ? x + bias : x;
  }
};

struct Moments {
  Var mean, variance;
};
Moments moments_of(Var x, const Axes& axes) {
  const Var m = mean(x, axes, Keep::yes);
  return {m, mean(square(x - m), axes, Keep::yes)};
}

/// x with mean 0 and variance 1 over the axes. Its derivative is written out, so that it takes two passes over memory:
/// one for the sums, and one for (g - mean g - y mean(g y)) / deviation.
Var standardised(Var x, const Axes& axes, double eps) {
  const Moments moments = moments_of(x, axes);
  const Var m = moments.mean, scale = rsqrt(moments.variance + eps);
  return custom_derivative(
      {x}, [&](std::span<const Var> in) { return (in[0] - m) * scale; },
      [=](std::span<const Var>, Var y, Var g) {
        const Var slope = mean(g * y, axes, Keep::yes), shift = mean(g, axes, Keep::yes);
        return std::vector<Var>{scale * (g - shift - y * slope)};
      });
}

/// weight * (x - mean) / sqrt(variance + eps) + bias for x (rows, channels). The gradients of x, weight and bias use
/// the same two sums.
Var batch_normalised(Var x, const Moments& moments, double eps, Var weight, Var bias) {
  const Var m = moments.mean, scale = rsqrt(moments.variance + eps);
  const auto count = static_cast<double>(x.dim(0));
  return custom_derivative(
      {x, weight, bias}, [&](std::span<const Var> in) { return (in[0] - m) * (scale * in[1]) + in[2]; },
      [=](std::span<const Var> in, Var, Var g) {
        const Var from_mean = in[0] + (-m);  // computed again: the forward pass's x - m would have to be kept in memory
        const Var total = sum(g, 0), product = sum(g * from_mean, 0) * reshape(scale, in[1].shape());
        const Var slope = scale * product / count;
        return std::vector<Var>{(in[1] * scale) * (g - total / count - from_mean * slope), product, total};
      });
}

/// (batch, places, channels), normalised over places and the channels of each group. The gradients of x, weight and
/// bias use the same two sums. All passes over memory sum over places, for all channels at once; the sums over the
/// channels of a group then take only (batch, channels) numbers.
Var group_normalised(Var x, std::int64_t groups, double eps, Var weight, Var bias) {
  const std::int64_t batch = x.dim(0), channels = x.dim(2), size = channels / groups;
  const auto count = static_cast<double>(x.dim(1) * size);
  const auto mean_of_group = [=](Var sums) {  // (batch, channels) -> the group's mean in each of its channels
    const Var of_group = sum(reshape(sums, {batch, groups, size}), 2, Keep::yes) / count;
    return reshape(broadcast_to(of_group, {batch, groups, size}), {batch, channels});
  };
  const auto per_place = [](Var y) { return expand_dims(y, 1); };
  const Var m = mean_of_group(sum(x, 1));
  const Var scale = rsqrt(mean_of_group(sum(square(x - per_place(m)), 1)) + eps);
  return custom_derivative(
      {x, weight, bias},
      [&](std::span<const Var> in) { return (in[0] - per_place(m)) * per_place(scale * in[1]) + in[2]; },
      [=](std::span<const Var> in, Var, Var g) {
        const Var from_mean =
            in[0] + per_place(-m);  // computed again: the forward pass's x - m would have to be kept in memory
        const Var total = sum(g, 1), product = scale * sum(g * from_mean, 1);
        const Var shift = scale * mean_of_group(in[1] * total);
        const Var slope = square(scale) * mean_of_group(in[1] * product);
        const Var by_x = g * per_place(scale * in[1]) - per_place(shift) - from_mean * per_place(slope);
        return std::vector<Var>{by_x, sum(product, 0), sum(total, 0)};
      });
}

/// (batch, ..., channels) as (batch, places, channels).
Var with_places(Var x) { return reshape(x, {x.dim(0), x.size() / x.dim(0) / x.dim(-1), x.dim(-1)}); }

}  // namespace

Var batch_norm(Scope s, const Arg& arg, const BatchNormOptions& o) {
  const UsersLine line(arg.source());
  expect_axes("batch_norm", s, arg, 2);
  check_options(o, "batch_norm");
  const Var x = var_of(arg);
  const std::int64_t channels = x.dim(-1), count = x.size() / channels;
  const Affine affine(s, channels, o.affine, o.weight);
  const Var running_mean = s.statistic("mean", {channels}, 0),
            running_variance = s.statistic("variance", {channels}, 1);
  if (s.mode() == Mode::evaluate || count == 1) {  // one value has no variance, so the running statistics are used
    const Var scale = rsqrt(running_variance + o.eps);
    if (!o.affine) return (x - running_mean) * scale;
    return (x - running_mean) * (scale * affine.weight) + affine.bias;
  }
  const Var rows = reshape(arg, {count, channels});
  const Var m = per_shard(mean(rows, 0, Keep::yes));
  const Moments moments{m, per_shard(mean(square(rows - m), 0, Keep::yes))};
  const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
  s.observe("mean", reshape(m, {channels}), o.momentum);
  s.observe("variance", reshape(moments.variance, {channels}) * unbiased, o.momentum);
  const Var weight = o.affine ? affine.weight : broadcast_to(as_var(1, x), {channels});
  const Var bias = o.affine ? affine.bias : broadcast_to(as_var(0, x), {channels});
  return reshape(batch_normalised(rows, moments, o.eps, weight, bias), x.shape());
}

Var layer_norm(Scope s, const Arg& x, const LayerNormOptions& o) {
  const UsersLine line(x.source());
  expect_axes("layer_norm", s, x, 1);
  check_options(o, "layer_norm");
  return Affine(s, var_of(x).dim(-1), o.affine, 1, o.bias)(standardise(x, o.eps));
}

Var group_norm(Scope s, const Arg& x, const GroupNormOptions& o) {
  const UsersLine line(x.source());
  expect_axes("group_norm", s, x, 2);
  check_options(o, "group_norm");
  const Shape& shape = var_of(x).shape();
  if (o.groups < 1 || shape[-1] % o.groups != 0) {
    fail<UsageError>("[group_norm] {} groups of {} channels in '{}'. Hint: groups must divide the channels.{}",
                     o.groups, shape[-1], s.path(), at(x.source()));
  }
  const Affine affine(s, shape[-1], o.affine);
  const Var weight = o.affine ? affine.weight : broadcast_to(as_var(1, var_of(x)), {shape[-1]});
  const Var bias = o.affine ? affine.bias : broadcast_to(as_var(0, var_of(x)), {shape[-1]});
  return reshape(group_normalised(with_places(var_of(x)), o.groups, o.eps, weight, bias), shape);
}

Var instance_norm(Scope s, const Arg& x, const InstanceNormOptions& o) {
  const UsersLine line(x.source());
  expect_axes("instance_norm", s, x, 3);
  check_options(o, "instance_norm");
  const Var y = standardised(with_places(var_of(x)), 1, o.eps);
  return Affine(s, var_of(x).dim(-1), o.affine)(reshape(y, var_of(x).shape()));
}

Var rms_norm(Scope s, const Arg& x, const RmsNormOptions& o) {
  const UsersLine line(x.source());
  expect_axes("rms_norm", s, x, 1);
  check_options(o, "rms_norm");
  const Var weight = s.parameter("weight", {var_of(x).dim(-1)}, {.initializer = init::constant(1), .decay = false});
  return rms_standardise(x, o.eps) * weight;
}

namespace {
constexpr std::string_view eps_doc = "added to the variance", affine_doc = "whether the layer has a weight and a bias";
}  // namespace

Fields fields(BatchNormOptions& o) {
  return {{"eps", &o.eps, eps_doc, not_negative},
          {"momentum", &o.momentum, "weight of a new batch in the running statistics", unit_interval},
          {"affine", &o.affine, affine_doc},
          {"weight", &o.weight, "initial value of the weight"}};
}
Fields fields(LayerNormOptions& o) {
  return {{"eps", &o.eps, eps_doc, not_negative},
          {"affine", &o.affine, affine_doc},
          {"bias", &o.bias, "whether the layer has a bias as well; only with a weight"}};
}
Fields fields(GroupNormOptions& o) {
  return {{"groups", &o.groups, "number of groups, which must divide the number of channels", {.low = 1}},
          {"eps", &o.eps, eps_doc, not_negative},
          {"affine", &o.affine, affine_doc}};
}
Fields fields(InstanceNormOptions& o) {
  return {{"eps", &o.eps, eps_doc, not_negative}, {"affine", &o.affine, affine_doc}};
}
Fields fields(RmsNormOptions& o) { return {{"eps", &o.eps, "added to the mean square", not_negative}}; }

std::vector<LayerRow> normalisation_layers() {
  constexpr std::string_view formula = "weight * (x - mean) / sqrt(variance + eps) + bias";
  return {layer_row(batch_norm,
                    {.name = "batch_norm",
                     .summary = "normalises each channel over the batch; in evaluation it uses the running statistics",
                     .formula = formula}),
          layer_row(layer_norm, {.name = "layer_norm", .summary = "normalises over the last axis", .formula = formula}),
          layer_row(group_norm, {.name = "group_norm",
                                 .summary = "normalises over all places and over groups of channels",
                                 .formula = formula}),
          layer_row(instance_norm, {.name = "instance_norm",
                                    .summary = "normalises each channel of each sample over all places",
                                    .formula = formula}),
          layer_row(rms_norm, {.name = "rms_norm",
                               .summary = "divides by the root mean square over the last axis",
                               .formula = "weight * x / sqrt(mean x^2 + eps)"})};
}

}  // namespace thalweg::nn
