#pragma once
// Configurations as text: TOML to option trees, and back.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "thalweg/options.hpp"

namespace thalweg {

/// A tree of options with the origin of each.
struct ConfigTree {
  OptionMap values;
  std::string file = {};             ///< name in messages; empty if there is no file
  std::map<std::string, int> lines;  ///< by dotted key ("optimizer.lr", "model.layers[0].units")

  /// Sets the value of a dotted key, as `--set` does: the text is parsed as TOML, or taken literally if it is not TOML.
  void set_text(std::string_view dotted_key, std::string_view text);
  /// Sets a dotted key to a value.
  void set(std::string_view dotted_key, OptionValue value);
  /// The value of a dotted key, or null.
  [[nodiscard]] const OptionValue* find(std::string_view dotted_key) const;
  /// The line of a key of a section ("" is the top), otherwise of the innermost enclosing key. Nothing for values that
  /// were set.
  [[nodiscard]] std::optional<int> line_of(std::string_view section, std::string_view key) const;
};

/// Throws UsageError, with file and line, for text that is not TOML, and for numbers that are not finite.
[[nodiscard]] ConfigTree parse_toml(std::string_view text, const std::string& file = {});
/// Throws UsageError if the file does not exist, IoError if it cannot be read.
[[nodiscard]] ConfigTree read_toml(const std::filesystem::path& path);

}  // namespace thalweg
