#pragma once
// How deep a TOML document nests, before anything is built from it.

#include <optional>
#include <string_view>

namespace thalweg {

/// Tables in tables, lists in lists and the parts of dotted keys, together: more than a configuration has use for, and
/// few enough that what walks through them needs little stack.
inline constexpr int deepest_toml = 64;

/// The first line on which a document nests deeper than that, if there is one.
[[nodiscard]] std::optional<int> too_deep_at(std::string_view toml);

}  // namespace thalweg
