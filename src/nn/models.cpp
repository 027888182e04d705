// Whole models, by kind.

#include "core/rows.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(LinearOptions&) { return {}; }
Fields fields(MlpOptions& o) {
  return {{"hidden", &o.hidden, "units of the hidden layers, first to last", {.low = 1}},
          {"activation",
           &o.activation,
           "after each hidden layer",
           any_number,
           {activations().begin(), activations().end()}},
          {"initializer", &o.initializer, "how the weights start"}};
}

namespace {

template <class Options>
ModelRow row(std::string_view name, std::string_view summary, ModelFunction (*make)(std::int64_t, const Options&)) {
  return {name, summary, docs_of<Options>(), [=](std::int64_t outputs, const OptionMap& values) {
            const auto options = options_from<Options>(values, name);
            return std::pair(make(outputs, options), values_of(options));
          }};
}

}  // namespace

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
      row("linear", "one dense layer: linear or logistic regression", linear),
      row("mlp", "dense layers with an activation between them", mlp),
  };
  return rows;
}

const ModelRow& model_named(const std::string& kind) { return row_named(models(), "model", kind); }

}  // namespace thalweg::nn
