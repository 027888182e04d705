// Whole models, by kind.

#include "nn/row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(LinearOptions&) { return {}; }
Fields fields(MlpOptions& o) {
  return {{"hidden", &o.hidden, "units of the hidden layers, first to last", {.low = 1}},
          {"activation", &o.activation, "after each hidden layer", any_number, activation_names()},
          {"initializer", &o.initializer, "how the weights start"}};
}

ModelFunction linear(std::int64_t outputs, const LinearOptions&) {
  return [=](Scope s, Var x) { return dense(s / "output", flatten(x), outputs, {.initializer = init::zeros()}); };
}

ModelFunction mlp(std::int64_t outputs, const MlpOptions& options) {
  const auto activate = activation(options.activation);
  const Initializer start = init::named(options.initializer);
  return [=, hidden = options.hidden](Scope s, Var x) {
    x = flatten(x);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      x = activate(dense(s / ("layer" + std::to_string(i + 1)), x, hidden[i], {.initializer = start}));
    }
    return dense(s / "output", x, outputs, {.initializer = init::lecun_normal()});
  };
}

const std::vector<ModelRow>& models() {
  static const std::vector<ModelRow> rows = {
      model_row("linear", "one dense layer: linear or logistic regression", linear),
      model_row("mlp", "dense layers with an activation between them", mlp),
      gpt_row(),
      lstm_row(),
      layers_row(),
      convnet_row(),
      resnet_row(),
      unet_row(),
  };
  return rows;
}

const ModelRow& model_named(const std::string& kind) { return row_named(models(), "model", kind); }

}  // namespace thalweg::nn
