// Models made of dense layers.

#include <fmt/format.h>

#include <cmath>

#include "nn/check_options.hpp"
#include "nn/model_row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(LinearOptions&) { return {}; }
Fields fields(MlpOptions& o) {
  return {{"hidden", &o.hidden, "number of units of each hidden layer, first to last", {.low = 1}},
          {"activation", &o.activation, "activation after each hidden layer", any_number, activation_names()},
          {"initializer", &o.initializer, "how the weights start"},
          {"norm", &o.norm, "normalisation before each activation", any_number, {"none", "batch", "layer"}},
          {"residual", &o.residual, "a hidden layer adds its input to its output where both have the same width"},
          {"parametrisation",
           &o.parametrisation,
           "mup: wider networks have the same best lr as the network whose first hidden layer has base_width units",
           any_number,
           {"standard", "mup"}},
          {"base_width",
           &o.base_width,
           "mup: units of the first hidden layer of the network whose lr was tuned",
           {.low = 1}}};
}

namespace {

double width_ratio(const MlpOptions& o) {
  if (o.parametrisation != "mup" || o.hidden.empty()) return 1;
  return static_cast<double>(o.hidden.front()) / static_cast<double>(o.base_width);
}

WidthScaling scaling(const MlpOptions& o) {
  WidthScaling result{.ratio = width_ratio(o), .fixed = {"output/bias"}};
  for (std::size_t i = 2; i <= o.hidden.size(); ++i) result.matrices.push_back(fmt::format("layer{}/weight", i));
  return result;
}

/// The last layer: from the result of the last hidden layer to the outputs of the model.
Var output_of(Scope s, const MlpOptions& o, Var x, std::int64_t outputs) {
  if (o.parametrisation != "mup" || o.hidden.empty())
    return dense(s / "output", x, outputs, {.initializer = init::lecun_normal()});
  // for the network whose lr was tuned these are the standard weights; the bias is not divided
  const double ratio = width_ratio(o), deviation = std::sqrt(ratio / static_cast<double>(o.hidden.back()));
  return dense(s / "output", x / ratio, outputs, {.initializer = init::normal(deviation)});
}

}  // namespace

ModelFunction linear(std::int64_t outputs, const LinearOptions&) {
  return [=](Scope s, Var x) { return dense(s / "output", flatten(x), outputs, {.initializer = init::zeros()}); };
}

ModelFunction mlp(std::int64_t outputs, const MlpOptions& options) {
  check_options(options, "mlp");
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
    return output_of(s, o, x, outputs);
  };
}

std::vector<ModelRow> dense_models() {
  return {
      model_row("linear", "one dense layer: linear or logistic regression", linear),
      with_scaling(model_row("mlp", "dense layers with an activation between them", mlp), scaling),
  };
}

}  // namespace thalweg::nn
