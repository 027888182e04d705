// Dropout.

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Var dropout(Scope s, const Arg& x, double rate) {
  if (!(rate >= 0 && rate < 1)) {
    fail<UsageError>("[dropout] rate = {} in '{}'. Wanted: in [0, 1).{}", rate, s.path(), at(x.source()));
  }
  if (s.mode() == Mode::evaluate || rate == 0) return var_of(x);
  return where(s.uniform("mask", var_of(x).shape()) < rate, 0, x * (1 / (1 - rate)));
}

namespace {

struct DropoutLayer {
  double rate = 0.5;
};
Fields fields(DropoutLayer& o) { return {{"rate", &o.rate, "probability that an element is set to zero", below_one}}; }
Var dropout_layer(Scope s, const Arg& x, const DropoutLayer& o) { return dropout(s, x, o.rate); }

}  // namespace

std::vector<LayerRow> dropout_layers() {
  return {layer_row(
      dropout_layer,
      {.name = "dropout", .summary = "sets random elements to zero in training", .formula = "x / (1 - rate) or 0"})};
}

}  // namespace thalweg::nn
