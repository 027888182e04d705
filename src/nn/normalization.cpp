#include "core/error.hpp"
#include "graph/graph.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

Var scaled(Scope s, Var x) {
  return x * s.parameter("weight", {x.dim(-1)}, {.initializer = init::constant(1), .decay = false});
}

void expect_features(std::string_view layer, const Arg& x, const Scope& s) {
  if (x.var().rank() > 0) return;
  fail<UsageError>("[{}] a scalar in '{}'. Hint: the input is (batch, ..., features).{}", layer, s.path(),
                   at(x.source()));
}

}  // namespace

Var layer_norm(Scope s, const Arg& x, const LayerNormOptions& options) {
  expect_features("layer_norm", x, s);
  const Var centred = x - mean(x, -1, Keep::yes);
  const Var y = scaled(s, centred * rsqrt(mean(square(centred), -1, Keep::yes) + options.eps));
  return options.bias ? y + s.parameter("bias", {y.dim(-1)}, {.decay = false}) : y;
}

Var rms_norm(Scope s, const Arg& x, const RmsNormOptions& options) {
  expect_features("rms_norm", x, s);
  return scaled(s, x * rsqrt(mean(square(x), -1, Keep::yes) + options.eps));
}

}  // namespace thalweg::nn
