#pragma once
// Checks the nesting depth of a TOML document before it is parsed.

#include <optional>
#include <string_view>

namespace thalweg {

/// The limit for nested tables, lists and parts of dotted keys together: more than any configuration needs, and few
/// enough for recursive functions to need little stack.
inline constexpr int deepest_toml = 64;

/// The first line on which a document exceeds this depth, if there is one.
[[nodiscard]] std::optional<int> too_deep_at(std::string_view toml);

}  // namespace thalweg
