#pragma once
// How rows of the table of models are made, and those that stand in files of their own.

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

/// The names of the activations, as a field's choices.
[[nodiscard]] inline std::vector<std::string_view> activation_names() {
  return {activations().begin(), activations().end()};
}

/// The names of the initializers, as a field's choices.
[[nodiscard]] inline std::vector<std::string_view> initializer_names() {
  return {init::names().begin(), init::names().end()};
}

[[nodiscard]] ModelRow layers_row();
[[nodiscard]] ModelRow convnet_row();
[[nodiscard]] ModelRow resnet_row();
[[nodiscard]] ModelRow unet_row();
[[nodiscard]] ModelRow gpt_row();
[[nodiscard]] ModelRow lstm_row();

}  // namespace thalweg::nn
