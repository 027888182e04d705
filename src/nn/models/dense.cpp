// Models of dense layers.

#include "nn/model_row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(LinearOptions&) { return {}; }
Fields fields(MlpOptions& o) {
  return {
      {"hidden", &o.hidden, "units of the hidden layers, first to last", {.low = 1}},
      {"activation", &o.activation, "after each hidden layer", any_number, activation_names()},
      {"initializer", &o.initializer, "how the weights start"},
      {"norm", &o.norm, "the normalisation before each activation", any_number, {"none", "batch", "layer"}},
      {"residual", &o.residual, "each hidden layer that is as wide as the one before adds its input to its result"}};
}

ModelFunction linear(std::int64_t outputs, const LinearOptions&) {
  return [=](Scope s, Var x) { return dense(s / "output", flatten(x), outputs, {.initializer = init::zeros()}); };
}

ModelFunction mlp(std::int64_t outputs, const MlpOptions& options) {
  const auto activate = activation(options.activation);
  return [=, o = options](Scope s, Var x) {
    x = flatten(x);
    for (std::size_t i = 0; i < o.hidden.size(); ++i) {
      const Scope layer = s / ("layer" + std::to_string(i + 1));
      Var y = dense(layer, x, o.hidden[i], {.bias = o.norm == "none", .initializer = o.initializer});
      if (o.norm == "batch") y = batch_norm(layer / "norm", y);
      if (o.norm == "layer") y = layer_norm(layer / "norm", y);
      x = o.residual && x.shape()[-1] == o.hidden[i] ? x + activate(y) : activate(y);
    }
    return dense(s / "output", x, outputs, {.initializer = init::lecun_normal()});
  };
}

std::vector<ModelRow> dense_models() {
  return {
      model_row("linear", "one dense layer: linear or logistic regression", linear),
      model_row("mlp", "dense layers with an activation between them", mlp),
  };
}

}  // namespace thalweg::nn
