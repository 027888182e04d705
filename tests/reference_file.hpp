#pragma once
// The committed output of the generators in tests/reference.

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "places.hpp"
#include "thalweg/options.hpp"

namespace thalweg::testing {

inline nlohmann::json reference(const std::string& name) {
  std::ifstream file(source_folder() + "/tests/reference/" + name + ".json");
  if (!file) throw std::runtime_error("no tests/reference/" + name + ".json");
  return nlohmann::json::parse(file);
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
