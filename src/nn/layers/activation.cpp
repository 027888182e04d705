// Activations: functions of each element, by name.

#include "nn/layer_row.hpp"
#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {
struct ActivationRow {
  std::string_view name;
  Var (*apply)(Var);
};

const std::vector<ActivationRow>& activation_rows() {
  static const std::vector<ActivationRow> rows = {
      {"relu", [](Var x) { return relu(x); }},
      {"gelu", [](Var x) { return gelu(x); }},
      {"gelu_tanh", [](Var x) { return gelu_tanh(x); }},
      {"silu", [](Var x) { return silu(x); }},
      {"tanh", [](Var x) { return tanh(x); }},
      {"sigmoid", [](Var x) { return sigmoid(x); }},
      {"elu", [](Var x) { return elu(x); }},
      {"selu", [](Var x) { return selu(x); }},
      {"leaky_relu", [](Var x) { return leaky_relu(x); }},
      {"relu6", [](Var x) { return relu6(x); }},
      {"softplus", [](Var x) { return softplus(x); }},
      {"mish", [](Var x) { return mish(x); }},
      {"hard_swish", [](Var x) { return hard_swish(x); }},
      {"identity", [](Var x) { return x; }},
  };
  return rows;
}
}  // namespace

std::function<Var(Var)> activation(const std::string& name) {
  return row_named(activation_rows(), "activation", name).apply;
}

const std::vector<std::string>& activations() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const ActivationRow& row : activation_rows()) all.emplace_back(row.name);
    return all;
  }();
  return names;
}

namespace {

struct ActivationLayer {
  std::string of = "relu";
};
Fields fields(ActivationLayer& o) { return {{"of", &o.of, "name of the function", any_number, activation_names()}}; }
ModelFunction make_activation(const ActivationLayer& o) {
  return [activate = activation(o.of)](Scope, Var x) { return activate(x); };
}

}  // namespace

std::vector<LayerRow> activation_layers() {
  return {layer_made_by<ActivationLayer>(
      make_activation, {.name = "activation", .summary = "a function of each element", .formula = "f(x)"})};
}

}  // namespace thalweg::nn
