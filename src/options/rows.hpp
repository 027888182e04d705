#pragma once
// Rows of tables whose objects are made from an options struct: the fields of the struct provide the documentation and
// read a configuration.

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "options/error.hpp"
#include "options/nearest_name.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

/// The struct with the values of a configuration, checked. `fields(Options&)` is found beside the struct.
template <class Options>
[[nodiscard]] Options options_from(const OptionMap& values, std::string_view where) {
  Options options;
  read_fields(fields(options), values, where);
  return options;
}

/// Every option with its value, including defaults.
template <class Options>
[[nodiscard]] OptionMap values_of(Options options) {
  return field_values(fields(options));
}

/// The documentation of a struct's fields with their defaults.
template <class Options>
[[nodiscard]] std::vector<OptionDoc> docs_of() {
  Options defaults;
  return describe_fields(fields(defaults));
}

/// Joins the rows of a table that several functions return.
template <class Row, std::size_t count>
[[nodiscard]] std::vector<Row> joined(std::vector<Row> (*const (&parts)[count])()) {
  std::vector<Row> rows;
  for (const auto part : parts) std::ranges::move(part(), std::back_inserter(rows));
  return rows;
}

/// The row with this name. Throws OptionError for the key "kind", with the nearest name.
template <class Rows>
[[nodiscard]] const auto& row_named(const Rows& rows, std::string_view kind, std::string_view name) {
  const auto found = std::ranges::find_if(rows, [&](const auto& row) { return row.name == name; });
  if (found != rows.end()) return *found;
  std::vector<std::string> names;
  for (const auto& row : rows) names.emplace_back(row.name);
  fail_option("kind", "[{}] there is no {} '{}'. Hint: {}", kind, kind, name, name_hint(name, names));
}

}  // namespace thalweg
