// Residual connections.

#include "core/error.hpp"
#include "nn/layer_list.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

struct ResidualLayer {
  std::vector<OptionMap> layers = {}, shortcut = {};
};
Fields fields(ResidualLayer& o) {
  return {{"layers", &o.layers, "the layers of f"},
          {"shortcut", &o.shortcut, "layers on the shortcut, needed where f changes the shape"}};
}
ModelFunction make_residual(const ResidualLayer& o) {
  return [f = LayerList(o.layers), around = LayerList(o.shortcut)](Scope s, Var x) {
    const Var y = f(s, x), direct = around(s / "shortcut", x);
    if (y.shape() == direct.shape()) return direct + y;
    fail<UsageError>("[residual] {} and {} in '{}'. Hint: layers in `shortcut` that change the shape as f does.",
                     direct.shape(), y.shape(), s.path());
  };
}

}  // namespace

std::vector<LayerRow> residual_layers() {
  return {layer_made_by<ResidualLayer>(
      make_residual,
      {.name = "residual", .summary = "layers with a residual connection around them", .formula = "x + f(x)"})};
}

}  // namespace thalweg::nn
