#include "nn/layer_list.hpp"

#include "options/error.hpp"

namespace thalweg::nn {

LayerList::LayerList(const std::vector<OptionMap>& list) {
  for (OptionMap options : list) {
    const std::string place = fmt::format("layers[{}]", layers_.size());
    const auto kind = options.find("kind");
    const auto* name = kind == options.end() ? nullptr : kind->second.get_if<std::string>();
    if (!name) {
      fail_option(place, "[layers] {} has no kind. Hint: {{ kind = \"dense\", units = 10 }}.",
                  OptionValue{options}.str());
    }
    layers_.push_back(in_option(place, [&] {
      const LayerRow& row = layer_named(*name);
      options.erase(kind);
      return row.make(options).first;
    }));
  }
}

Var LayerList::operator()(const Scope& s, Var x) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) x = layers_[i](s / ("layer" + std::to_string(i + 1)), x);
  return x;
}

}  // namespace thalweg::nn
