#include "graph/graph.hpp"
#include "options/rows.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Var dense(Scope s, const Arg& x, std::int64_t units, const DenseOptions& options) {
  if (x.var().rank() == 0 || units < 1) {
    fail<UsageError>("[dense] {} units on an input of shape {} in '{}'. Hint: the input is (batch, ..., features).{}",
                     units, x.var().shape(), s.path(), at(x.source()));
  }
  const Var weight = s.parameter("weight", {x.var().dim(-1), units}, {.initializer = options.initializer});
  const Var y = matmul(x, weight);
  if (!options.bias) return y;
  return y + s.parameter("bias", {units}, {.initializer = options.bias_initializer, .decay = false});
}

Var embedding(Scope s, const Arg& indices, const EmbeddingOptions& options) {
  if (options.count < 1 || options.width < 1) {
    fail<UsageError>("[embedding] a table of {} rows of {} numbers in '{}'. Hint: {{.count = ..., .width = ...}}.",
                     options.count, options.width, s.path());
  }
  return gather(s.parameter("table", {options.count, options.width}, {.initializer = options.initializer}), indices);
}

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

}  // namespace thalweg::nn
