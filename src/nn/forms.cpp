// The form of an Extent and a Padding in a configuration.

#include "thalweg/nn.hpp"

namespace thalweg {

namespace {

/// Two values in a list, or null.
const OptionList* pair_in(const OptionValue& value) {
  const auto* list = value.get_if<OptionList>();
  return list && list->size() == 2 ? list : nullptr;
}

}  // namespace

OptionValue OptionForm<Extent>::write(const Extent& extent) {
  if (extent.height == extent.width) return {extent.height};
  return {OptionList{{extent.height}, {extent.width}}};
}

std::optional<Extent> OptionForm<Extent>::read(const OptionValue& value) {
  if (const auto* both = value.get_if<std::int64_t>()) return Extent(*both);
  const OptionList* list = pair_in(value);
  if (!list) return std::nullopt;
  const auto* height = (*list)[0].get_if<std::int64_t>();
  const auto* width = (*list)[1].get_if<std::int64_t>();
  return height && width ? std::optional(Extent(*height, *width)) : std::nullopt;
}

OptionValue OptionForm<Padding>::write(const Padding& padding) {
  if (padding.is_same()) return {"same"};
  const Extent before = padding.before(0), after = padding.after(0);
  if (before == Extent(0) && after == before) return {"valid"};
  using Form = OptionForm<Extent>;
  if (before == after) return Form::write(before);
  const auto sides = [](const Extent& e) { return OptionValue(OptionList{{e.height}, {e.width}}); };
  return {OptionList{sides(before), sides(after)}};
}

std::optional<Padding> OptionForm<Padding>::read(const OptionValue& value) {
  if (const auto* name = value.get_if<std::string>()) {
    return *name == "same" || *name == "valid" ? std::optional(Padding(*name)) : std::nullopt;
  }
  using Form = OptionForm<Extent>;
  if (const auto all = Form::read(value)) return Padding(*all, *all);
  const OptionList* list = pair_in(value);
  if (!list) return std::nullopt;
  const auto before = Form::read((*list)[0]), after = Form::read((*list)[1]);
  return before && after ? std::optional(Padding(*before, *after)) : std::nullopt;
}

}  // namespace thalweg
