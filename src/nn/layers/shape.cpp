// Layers that change only the shape.

#include "graph/tracing.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

struct ReshapeLayer {
  std::vector<std::int64_t> shape = {};
};
Fields fields(ReshapeLayer& o) { return {{"shape", &o.shape, "the shape of one sample", {.low = 1}}}; }
Var reshape_layer(const Arg& x, const ReshapeLayer& o) {
  Shape shape{var_of(x).dim(0)};
  for (const std::int64_t size : o.shape) shape.push_back(size);
  return reshape(x, shape);
}

Var flatten_layer(const Arg& x) { return flatten(x); }

}  // namespace

std::vector<LayerRow> shape_layers() {
  return {layer_row(flatten_layer, {.name = "flatten",
                                    .summary = "joins all axes except the first",
                                    .formula = "(batch, ...) -> (batch, numbers)"}),
          layer_row(reshape_layer, {.name = "reshape",
                                    .summary = "gives the numbers another shape",
                                    .formula = "(batch, ...) -> (batch, shape)"})};
}

}  // namespace thalweg::nn
