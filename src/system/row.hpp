#pragma once
// Systems that are trained to make something; how their rows are made.

#include <filesystem>

#include "options/rows.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// A row whose options are the fields of a struct. `settle` writes out what stands for something else, as a run's place
/// does wherever the command is called, and throws OptionError for what cannot be settled.
template <class Options>
[[nodiscard]] SystemRow system_row(SystemRow row, System (*make)(const SystemData&, const Options&),
                                   void (*settle)(Options&) = nullptr) {
  row.options = docs_of<Options>();
  row.complete = [settle, name = row.name](const OptionMap& values) {
    auto options = options_from<Options>(values, name);
    if (settle) settle(options);
    return values_of(options);
  };
  row.make = [make, name = row.name](const SystemData& data, const OptionMap& values) {
    return make(data, options_from<Options>(values, name));
  };
  return row;
}

/// The place of a run wherever the command is called.
[[nodiscard]] inline std::string place_of_run(const std::string& run) {
  return std::filesystem::absolute(run).lexically_normal().string();
}

}  // namespace thalweg
