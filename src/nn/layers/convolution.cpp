// Convolutional layers.

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "graph/users_line.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

void expect_channels(std::string_view layer, const Scope& s, const Arg& x, int rank, std::int64_t filters,
                     std::int64_t groups) {
  const Shape& shape = var_of(x).shape();
  if (shape.rank() != rank) {
    fail<UsageError>("[{}] an input of shape {} in '{}'. Hint: the input is (batch, {}, channels).{}", layer, shape,
                     s.path(), rank == 4 ? "height, width" : "time", at(x.source()));
  }
  if (filters < 1 || groups < 1 || shape[-1] % groups != 0 || filters % groups != 0) {
    fail<UsageError>("[{}] {} channels to {} filters in {} groups in '{}'. Hint: groups must divide both.{}", layer,
                     shape[-1], filters, groups, s.path(), at(x.source()));
  }
}

template <class Options>
Var with_bias(const Scope& s, Var y, const Options& o) {
  if (!o.bias) return y;
  return y + s.parameter("bias", {o.filters}, {.initializer = o.bias_initializer, .decay = false});
}

}  // namespace

Var conv2d(Scope s, const Arg& x, const ConvOptions& o) {
  const UsersLine line(x.source());
  expect_channels("conv2d", s, x, 4, o.filters, o.groups);
  const Var weight = s.parameter("weight", {o.kernel.height, o.kernel.width, var_of(x).dim(-1) / o.groups, o.filters},
                                 {.initializer = o.initializer});
  return with_bias(s, thalweg::conv2d(x, weight, {o.stride, o.padding, o.dilation, o.groups}), o);
}

Var conv1d(Scope s, const Arg& x, const ConvOptions& o) {
  const UsersLine line(x.source());
  expect_channels("conv1d", s, x, 3, o.filters, o.groups);
  const Var weight =
      s.parameter("weight", {o.kernel.width, var_of(x).dim(-1) / o.groups, o.filters}, {.initializer = o.initializer});
  return with_bias(s, thalweg::conv1d(x, weight, {o.stride, o.padding, o.dilation, o.groups}), o);
}

Var conv_transpose2d(Scope s, const Arg& x, const ConvTransposeOptions& o) {
  const UsersLine line(x.source());
  expect_channels("conv_transpose2d", s, x, 4, o.filters, o.groups);
  const Var weight = s.parameter("weight", {o.kernel.height, o.kernel.width, o.filters / o.groups, var_of(x).dim(-1)},
                                 {.initializer = o.initializer});
  return with_bias(
      s, thalweg::conv_transpose2d(x, weight, {o.stride, o.padding, o.output_padding, o.dilation, o.groups}), o);
}

namespace {

/// The fields that all convolutions share.
template <class Options>
Fields convolution_fields(Options& o) {
  return {{"filters", &o.filters, "number of output channels", {.low = 1}},
          {"kernel", &o.kernel, "size of the filters"},
          {"stride", &o.stride, "distance between two windows"},
          {"padding", &o.padding, "zeros added around the input"},
          {"dilation", &o.dilation, "distance between two elements of a filter"},
          {"groups",
           &o.groups,
           "number of groups of channels, each with filters of its own; as many as channels: a depthwise convolution",
           {.low = 1}},
          {"bias", &o.bias, bias_doc},
          {"initializer", &o.initializer, "how the filters start"},
          {"bias_initializer", &o.bias_initializer, bias_initializer_doc}};
}

}  // namespace

Fields fields(ConvOptions& o) { return convolution_fields(o); }
Fields fields(ConvTransposeOptions& o) {
  Fields all = convolution_fields(o);
  all.push_back({"output_padding", &o.output_padding, "rows and columns added at the end of the output"});
  return all;
}

std::vector<LayerRow> convolution_layers() {
  return {layer_row(conv2d, {.name = "conv2d",
                             .summary = "convolution of an image with filters",
                             .formula = "sum over u, v, c of x[i + u, j + v, c] f[u, v, c, o] + b[o]"}),
          layer_row(conv1d, {.name = "conv1d",
                             .summary = "convolution of a sequence with filters",
                             .formula = "sum over u, c of x[t + u, c] f[u, c, o] + b[o]"}),
          layer_row(conv_transpose2d,
                    {.name = "conv_transpose2d",
                     .summary = "transposed convolution: the transpose of conv2d, which makes images larger",
                     .formula = "y[i + u, j + v, o] = sum over i, j, c of x[i, j, c] f[u, v, o, c] + b[o]"})};
}

}  // namespace thalweg::nn
