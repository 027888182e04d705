#pragma once
// Helpers shared by the families of losses.

#include "options/rows.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::loss {

/// The target in the shape and dtype of the prediction: (batch, 1) and (batch) are interchangeable, any other shapes
/// must be equal.
[[nodiscard]] Var as_target(std::string_view name, Var prediction, Var target);

/// A row that takes its options and their texts from the options struct.
template <class Options>
[[nodiscard]] LossRow row(LossFunction (*make)(Options), LossRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name](const OptionMap& values) { return make(options_from<Options>(values, name)); };
  return texts;
}

/// Every option with its value, checked.
template <class Options>
[[nodiscard]] OptionMap checked_values(std::string_view name, const Options& options) {
  Options present = options;
  check_fields(fields(present), name);
  return values_of(options);
}

inline Fields fields(NoOptions&) { return {}; }
Fields fields(QuantileOptions& o);
Fields fields(PoissonOptions& o);
Fields fields(GaussianOptions& o);

// The losses by family.
[[nodiscard]] std::vector<LossRow> regression_losses();
[[nodiscard]] std::vector<LossRow> classification_losses();
[[nodiscard]] std::vector<LossRow> similarity_losses();

}  // namespace thalweg::loss
