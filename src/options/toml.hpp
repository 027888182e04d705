#pragma once
// Configurations as text: TOML to option trees, and back.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "thalweg/options.hpp"

namespace thalweg {

/// A tree of options, and where each came from.
struct ConfigTree {
  OptionMap values;
  std::string file = {};             ///< as messages name it; empty where there is none
  std::map<std::string, int> lines;  ///< of each key, dotted ("optimizer.lr", "model.layers[0].units")

  /// Sets the value of a dotted key, as `--set` does: its text is TOML, or taken as it is where it is not.
  void set_text(std::string_view dotted_key, std::string_view text);
  /// Sets it to a value that is known.
  void set(std::string_view dotted_key, OptionValue value);
  /// The value of a dotted key, or null.
  [[nodiscard]] const OptionValue* find(std::string_view dotted_key) const;
  /// The line of a key of a section ("" is the top), or else of the innermost key around it. None for what was set.
  [[nodiscard]] std::optional<int> line_of(std::string_view section, std::string_view key) const;
};

/// Throws UsageError, with file and line, for what is not TOML, and for numbers that are not finite.
[[nodiscard]] ConfigTree parse_toml(std::string_view text, const std::string& file = {});
/// Throws UsageError where there is no such file, IoError where it cannot be read.
[[nodiscard]] ConfigTree read_toml(const std::filesystem::path& path);

}  // namespace thalweg
