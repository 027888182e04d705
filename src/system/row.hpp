#pragma once
// Systems that are trained to make something; how their rows are made.

#include "options/rows.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// A row whose options are the fields of a struct.
template <class Options>
[[nodiscard]] SystemRow system_row(SystemRow row, System (*make)(const SystemData&, const Options&)) {
  row.options = docs_of<Options>();
  row.complete = [name = row.name](const OptionMap& values) { return values_of(options_from<Options>(values, name)); };
  row.make = [make, name = row.name](const SystemData& data, const OptionMap& values) {
    return make(data, options_from<Options>(values, name));
  };
  return row;
}

}  // namespace thalweg
