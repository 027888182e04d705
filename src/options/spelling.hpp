#pragma once
// The names that are spelled most like one that is not among them.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// The nearest first (edit distance), of equally near ones in their order; none that differs in more than a third of
/// the text, or in 2 letters of a short one.
[[nodiscard]] std::vector<std::string> nearest_names(std::string_view text, const std::vector<std::string>& names,
                                                     std::size_t most);

}  // namespace thalweg
