#pragma once
// Reads the reference results that the generators in tests/reference have written.

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "places.hpp"
#include "thalweg/options.hpp"

namespace thalweg::testing {

inline nlohmann::json parse_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return nlohmann::json::parse(file);
}

/// The cases of NAME.json, which NAME.py writes, followed by those of all NAME-*.json, which have other sources.
inline nlohmann::json reference(const std::string& name) {
  const std::filesystem::path folder = std::filesystem::path(source_folder()) / "tests" / "reference";
  nlohmann::json all = parse_file(folder / (name + ".json"));
  std::set<std::filesystem::path> more;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(name + "-") && file.ends_with(".json")) more.insert(entry.path());
  }
  for (const auto& path : more) {
    for (const auto& item : parse_file(path)) all.push_back(item);
  }
  return all;
}

inline OptionMap options_of(const nlohmann::json& object);

inline OptionValue option_of(const nlohmann::json& value) {
  if (value.is_boolean()) return {value.get<bool>()};
  if (value.is_number_integer()) return {value.get<std::int64_t>()};
  if (value.is_number()) return {value.get<double>()};
  if (value.is_string()) return {value.get<std::string>()};
  if (value.is_object()) return {options_of(value)};
  OptionList list;
  for (const auto& item : value) list.push_back(option_of(item));
  return {std::move(list)};
}

inline OptionMap options_of(const nlohmann::json& object) {
  OptionMap options;
  for (const auto& [key, value] : object.items()) options[key] = option_of(value);
  return options;
}

}  // namespace thalweg::testing
