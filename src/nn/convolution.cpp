// Layers of convolution.

#include "core/error.hpp"
#include "graph/graph.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

void expect_channels(std::string_view layer, const Scope& s, const Arg& x, int rank, std::int64_t filters,
                     std::int64_t groups) {
  const Shape& shape = x.var().shape();
  if (shape.rank() != rank) {
    fail<UsageError>("[{}] an input of shape {} in '{}'. Hint: the input is (batch, {}, channels).{}", layer, shape,
                     s.path(), rank == 4 ? "height, width" : "time", at(x.source()));
  }
  if (filters < 1 || groups < 1 || shape[-1] % groups != 0 || filters % groups != 0) {
    fail<UsageError>("[{}] {} channels to {} filters in {} groups in '{}'. Hint: groups divides both.{}", layer,
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
  expect_channels("conv2d", s, x, 4, o.filters, o.groups);
  const Var weight = s.parameter("weight", {o.kernel.height, o.kernel.width, x.var().dim(-1) / o.groups, o.filters},
                                 {.initializer = o.initializer});
  return with_bias(s, thalweg::conv2d(x, weight, {o.stride, o.padding, o.dilation, o.groups}), o);
}

Var conv1d(Scope s, const Arg& x, const ConvOptions& o) {
  expect_channels("conv1d", s, x, 3, o.filters, o.groups);
  const Var weight =
      s.parameter("weight", {o.kernel.width, x.var().dim(-1) / o.groups, o.filters}, {.initializer = o.initializer});
  return with_bias(s, thalweg::conv1d(x, weight, {o.stride, o.padding, o.dilation, o.groups}), o);
}

Var conv_transpose2d(Scope s, const Arg& x, const ConvTransposeOptions& o) {
  expect_channels("conv_transpose2d", s, x, 4, o.filters, o.groups);
  const Var weight = s.parameter("weight", {o.kernel.height, o.kernel.width, o.filters / o.groups, x.var().dim(-1)},
                                 {.initializer = o.initializer});
  return with_bias(
      s, thalweg::conv_transpose2d(x, weight, {o.stride, o.padding, o.output_padding, o.dilation, o.groups}), o);
}

}  // namespace thalweg::nn
