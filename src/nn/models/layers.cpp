// The model that a configuration gives as a list of layers.

#include "nn/check_options.hpp"
#include "nn/layer_list.hpp"
#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(LayersOptions& o) {
  return {{"layers", &o.layers, "the layers, each { kind = ..., ... }; see the table of layers"},
          {"head",
           &o.head,
           "dense: a last dense layer gives the outputs; none: the last layer of the list gives them",
           any_number,
           {"dense", "none"}}};
}

ModelFunction layers(std::int64_t outputs, const LayersOptions& options) {
  check_options(options, "layers");
  return [=, sequence = LayerList(options.layers), head = options.head == "dense"](Scope s, Var x) {
    x = sequence(s, x);
    return head ? dense(s / "output", flatten(x), outputs, {.initializer = init::lecun_normal()}) : x;
  };
}

std::vector<ModelRow> layers_models() { return {model_row("layers", "a list of layers, one after the other", layers)}; }

}  // namespace thalweg::nn
