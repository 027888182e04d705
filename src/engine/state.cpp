// State: one parameter of the flat block, by its name.

#include "thalweg/state.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "optim/update.hpp"
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

State State::average(std::string_view name) const {
  if (!layout) (void)entry_of(*this, name);  // which reports that the state is empty
  State result = *this;
  const std::string prefix = std::string(name) + "/";
  std::vector<std::string> names;
  bool any = false;
  for (const ParameterEntry& entry : layout->entries) {
    if (!entry.average) continue;
    const std::string known = entry.name.substr(0, entry.name.find('/'));
    if (std::ranges::find(names, known) == names.end()) names.push_back(known);
    if (known != name) continue;
    any = true;
    result.set_parameter(entry.name.substr(prefix.size()), parameter(entry.name));
  }
  if (any) return result;
  if (names.empty())
    fail<UsageError>("[state] it keeps no moving averages. Hint: .averages = {{{{\"{}\", 0.999}}}} of an objective.",
                     name);
  fail<UsageError>("[state] there is no moving average '{}'. Hint: {}", name, name_hint(name, names));
}

bool Patterns::match(std::string_view name) const {
  return list_.empty() ||
         std::ranges::any_of(list_, [&](const std::string& pattern) { return matches(pattern, name); });
}

std::string Patterns::str() const { return list_.empty() ? "'*'" : fmt::format("'{}'", fmt::join(list_, "', '")); }

}  // namespace thalweg
