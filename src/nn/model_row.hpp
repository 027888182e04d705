#pragma once
// Makes the rows of the table of models.

#include "options/rows.hpp"
#include "thalweg/nn.hpp"

namespace thalweg::nn {

template <class Options>
[[nodiscard]] ModelRow model_row(std::string_view name, std::string_view summary,
                                 ModelFunction (*make)(std::int64_t, const Options&)) {
  return {name, summary, docs_of<Options>(), [=](std::int64_t outputs, const OptionMap& values) {
            const auto options = options_from<Options>(values, name);
            return std::pair(make(outputs, options), values_of(options));
          }};
}

/// The row of a model that can generate: it also has a form that computes one position at a time.
template <class Options>
[[nodiscard]] ModelRow with_step(ModelRow row, SequenceStep (*step)(std::int64_t, const Options&)) {
  row.step = [step, name = row.name](std::int64_t outputs, const OptionMap& values) {
    return step(outputs, options_from<Options>(values, name));
  };
  return row;
}

/// The row of a model with a parametrisation.
template <class Options>
[[nodiscard]] ModelRow with_scaling(ModelRow row, WidthScaling (*scaling)(const Options&)) {
  row.scaling = [scaling, name = row.name](const OptionMap& values) {
    return scaling(options_from<Options>(values, name));
  };
  return row;
}

/// The names of the activations, as a field's choices.
[[nodiscard]] inline std::vector<std::string_view> activation_names() {
  return {activations().begin(), activations().end()};
}

}  // namespace thalweg::nn
