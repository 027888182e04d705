#include "options/differences.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace thalweg {

std::vector<std::string> differences(const FlatOptions& before, const FlatOptions& after) {
  std::vector<std::string> result;
  for (const auto& [key, value] : before) {
    const auto other = after.find(key);
    const std::string now = other == after.end() ? "(not set)" : other->second;
    if (now != value) result.push_back(fmt::format("{}: {} -> {}", key, value, now));
  }
  for (const auto& [key, value] : after) {
    if (!before.contains(key)) result.push_back(fmt::format("{}: (not set) -> {}", key, value));
  }
  return result;
}

std::string lines_of(const FlatOptions& options) {
  std::string text;
  for (const auto& [key, value] : options) text += key + " = " + value + "\n";
  return text;
}

FlatOptions options_in(std::string_view lines) {
  FlatOptions options;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const auto equals = line.find(" = ");
    if (line.empty()) continue;
    options[std::string(line.substr(0, equals))] =
        equals == std::string_view::npos ? "" : std::string(line.substr(equals + 3));
  }
  return options;
}

}  // namespace thalweg
