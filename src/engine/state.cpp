// State: one parameter of the flat block, by its name.

#include "thalweg/state.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "options/nearest_name.hpp"

namespace thalweg {

namespace {

const ParameterEntry& entry_of(const State& state, std::string_view name) {
  if (!state.layout) fail<UsageError>("[state] it is empty. Hint: it comes from TrainStep::init, or Trainer::init.");
  const auto& entries = state.layout->entries;
  const auto found = std::ranges::find(entries, name, &ParameterEntry::name);
  if (found != entries.end()) return *found;
  std::vector<std::string> names;
  for (const ParameterEntry& entry : entries) names.push_back(entry.name);
  fail<UsageError>("[state] there is no parameter '{}'. Hint: {}", name, name_hint(name, names));
}

}  // namespace

Tensor State::parameter(std::string_view name) const {
  const ParameterEntry& entry = entry_of(*this, name);
  Tensor value(entry.shape, layout->dtype);
  std::memcpy(value.mutable_raw(), parameters.raw() + static_cast<std::size_t>(entry.offset) * size_of(layout->dtype),
              value.bytes());
  return value;
}

void State::set_parameter(std::string_view name, const Tensor& value) {
  const ParameterEntry& entry = entry_of(*this, name);
  if (!(value.shape() == entry.shape) || value.dtype() != layout->dtype) {
    fail<UsageError>("[state] the parameter '{}' is {} {}; {} {} given", name, layout->dtype, entry.shape,
                     value.dtype(), value.shape());
  }
  std::memcpy(parameters.mutable_raw() + static_cast<std::size_t>(entry.offset) * size_of(layout->dtype), value.raw(),
              value.bytes());
}

}  // namespace thalweg
