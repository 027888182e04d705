#pragma once
// Keys that a JSON object has twice. Some parsers take the first of the two, some the last: a file that has them may be
// harmless for the program that checked it, and mean something else to this one.

#include <optional>
#include <string>
#include <string_view>

namespace thalweg::data {

/// The first key that an object in the text has twice, after the keys of the objects around it: "weight.shape". Nothing
/// if there is none, or if the text is no JSON.
[[nodiscard]] std::optional<std::string> repeated_key(std::string_view json);

}  // namespace thalweg::data
