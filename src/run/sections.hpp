#pragma once
// Reads the sections of a configuration: their keys, their kind, and errors with file and line.

#include <algorithm>
#include <string>
#include <vector>

#include "options/error.hpp"
#include "options/nearest_name.hpp"
#include "options/toml.hpp"

namespace thalweg {

/// The result of `read`. An error about a key of `section` gets file and line, if the key comes from a file.
template <class Read>
auto with_line(const ConfigTree& tree, std::string_view section, const Read& read) {
  try {
    return read();
  } catch (const OptionError& error) {
    const auto line = tree.line_of(section, error.key());
    if (!line || tree.file.empty()) throw;
    fail_option(error.key(), "{}:{}: {}", tree.file, *line, error.what());
  }
}

/// The keys of a section; empty if it is missing.
inline OptionMap section_in(const ConfigTree& tree, const std::string& name) {
  const OptionValue* value = tree.find(name);
  const auto* map = value ? value->get_if<OptionMap>() : nullptr;
  if (value && !map) fail_option(name, "[config] {} = {}. Wanted: a section [{}]", name, value->str(), name);
  return map ? *map : OptionMap{};
}

/// Calls `read` with the keys of a section, as above.
template <class Read>
void read_section(const ConfigTree& tree, const std::string& name, const Read& read) {
  with_line(tree, name, [&] { read(section_in(tree, name)); });
}

/// Removes `kind` from a section.
inline std::string take_kind(OptionMap& section, std::string_view where, const std::string& otherwise) {
  const auto found = section.extract("kind");
  if (!found) return otherwise;
  const auto* kind = found.mapped().get_if<std::string>();
  if (!kind) fail_option("kind", "[{}] kind = {}. Wanted: a name in quotes", where, found.mapped().str());
  return *kind;
}

/// Throws UsageError for a section with another name than these.
inline void check_sections(const ConfigTree& tree, const std::vector<std::string>& known) {
  for (const auto& [key, value] : tree.values) {
    if (std::ranges::find(known, key) == known.end())
      fail<UsageError>("[config] there is no section '{}' here. Hint: {}", key, name_hint(key, known));
  }
}

/// `seed`, if it is set; otherwise the given number.
inline std::uint64_t seed_in(const ConfigTree& tree, std::uint64_t otherwise) {
  const OptionValue* seed = tree.find("seed");
  if (!seed) return otherwise;
  const auto* number = seed->get_if<std::int64_t>();
  if (!number || *number < 0) fail<UsageError>("[config] seed = {}. Wanted: a whole number >= 0", seed->str());
  return static_cast<std::uint64_t>(*number);
}

/// A section as TOML, its kind first.
inline std::string section_text(std::string_view name, const OptionMap& values, std::string_view kind = "") {
  std::string text = fmt::format("\n[{}]\n", name);
  if (!kind.empty()) text += fmt::format("kind = \"{}\"\n", kind);
  for (const auto& [key, value] : values) text += fmt::format("{} = {}\n", key, value.str());
  return text;
}

}  // namespace thalweg
