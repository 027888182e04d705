// Saves parameters of a State to safetensors files and loads them, selected by path and pattern.

#include <algorithm>

#include "core/error.hpp"
#include "store/safetensors.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

namespace {

const Layout& layout_of(const State& state) {
  if (!state.layout) fail<UsageError>("[state] it is empty. Hint: it comes from TrainStep::init, or Trainer::init.");
  return *state.layout;
}

}  // namespace

void State::save(const Path& path, const Patterns& patterns) const {
  SafetensorsFile file;
  for (const ParameterEntry& entry : layout_of(*this).entries) {
    if (!patterns.match(entry.name) || (entry.average && patterns.everything())) continue;
    file.tensors.emplace_back(entry.name, parameter(entry.name));
  }
  if (file.tensors.empty()) {
    fail<UsageError>("[save] {}: no parameter fits {}. Hint: the first is '{}'.", path.string(), patterns.str(),
                     layout->entries.empty() ? "" : layout->entries.front().name);
  }
  write_safetensors(path.string(), file);
}

void State::load(const Path& path, const Patterns& patterns, std::string_view under) {
  const Layout& known = layout_of(*this);
  const SafetensorsFile file = read_safetensors(path.string());
  expect_finite(file, path.string());
  bool any = false;
  for (const auto& [name, value] : file.tensors) {
    if (!patterns.match(name)) continue;
    const std::string into = under.empty() ? name : std::string(under) + "/" + name;
    const auto entry = std::ranges::find(known.entries, into, &ParameterEntry::name);
    if (entry == known.entries.end()) {
      fail<ModelError>("[load] {}: the model has no parameter '{}'. Hint: a pattern leaves out what it lacks.",
                       path.string(), into);
    }
    if (value.shape() != entry->shape || value.dtype() != known.dtype) {
      fail<ModelError>("[load] {}: '{}' is {} {} in the file and {} {} in the model", path.string(), name,
                       value.dtype(), value.shape(), known.dtype, entry->shape);
    }
    set_parameter(into, value);
    any = true;
  }
  if (any) return;
  fail<UsageError>("[load] {}: no parameter fits {}. Hint: the first is '{}'.", path.string(), patterns.str(),
                   file.tensors.empty() ? "" : file.tensors.front().first);
}

}  // namespace thalweg
