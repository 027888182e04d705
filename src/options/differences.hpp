#pragma once
// The differences between two configurations.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// Every dotted key, and the text of its value.
using FlatOptions = std::map<std::string, std::string>;

/// One line for each key that differs: `optimizer.lr: 0.001 -> 0.003`.
[[nodiscard]] std::vector<std::string> differences(const FlatOptions& before, const FlatOptions& after);

/// `key = value`, one per line.
[[nodiscard]] std::string lines_of(const FlatOptions& options);
/// Reads such lines back; a line without ` = ` is a key without a value.
[[nodiscard]] FlatOptions options_in(std::string_view lines);

}  // namespace thalweg
