#pragma once
// Hints for names that are not known.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// The names with the most similar spelling (edit distance), the nearest first, equally near ones in their order;
/// without names that differ in more than a third of the text, or in more than 2 letters of a short one.
[[nodiscard]] std::vector<std::string> nearest_names(std::string_view text, const std::vector<std::string>& names,
                                                     std::size_t most);

/// "did you mean 'adam'?", or if no name is near "known are sgd, adam." (at most the first 40).
[[nodiscard]] std::string name_hint(std::string_view name, const std::vector<std::string>& names);

}  // namespace thalweg
