#pragma once
// Makes the rows of systems for the table of systems.

#include <filesystem>

#include "options/rows.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// A row whose options are the fields of a struct. `settle` replaces values that depend on the surroundings by their
/// full form, for example the relative path of a run by an absolute one. It throws OptionError if that is not possible.
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

/// The absolute path of a run.
[[nodiscard]] inline std::string place_of_run(const std::string& run) {
  return std::filesystem::absolute(run).lexically_normal().string();
}

}  // namespace thalweg
