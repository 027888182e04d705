#pragma once
// Makes the rows of the table of layers: from the function of a layer, or from a function that makes a layer from
// options.

#include "options/rows.hpp"
#include "thalweg/layers.hpp"

namespace thalweg::nn {

/// `make` returns the layer for given options.
template <class Options, class Make>
[[nodiscard]] LayerRow layer_made_by(const Make& make, LayerRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name](const OptionMap& values) {
    const auto options = options_from<Options>(values, name);
    return std::pair<ModelFunction, OptionMap>(make(options), values_of(options));
  };
  return texts;
}

/// A layer with parameters.
template <class Options>
[[nodiscard]] LayerRow layer_row(Var (*layer)(Scope, const Arg&, const Options&), const LayerRow& texts) {
  const auto make = [layer](const Options& o) { return [=](Scope s, Var x) { return layer(s, x, o); }; };
  return layer_made_by<Options>(make, texts);
}

/// An op with options.
template <class Options>
[[nodiscard]] LayerRow layer_row(Var (*op)(const Arg&, const Options&), const LayerRow& texts) {
  const auto make = [op](const Options& o) { return [=](Scope, Var x) { return op(x, o); }; };
  return layer_made_by<Options>(make, texts);
}

struct NoOptions {};
inline Fields fields(NoOptions&) { return {}; }

/// An op without options.
[[nodiscard]] inline LayerRow layer_row(Var (*op)(const Arg&), const LayerRow& texts) {
  const auto make = [op](const NoOptions&) { return [op](Scope, Var x) { return op(x); }; };
  return layer_made_by<NoOptions>(make, texts);
}

// Texts that several layers share.
inline constexpr std::string_view bias_doc = "whether a bias is added", bias_initializer_doc = "how the bias starts";

}  // namespace thalweg::nn
