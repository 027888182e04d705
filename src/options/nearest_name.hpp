#pragma once
// What to say of a name that is not among those known.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// The names that are spelled most like a text, the nearest first (edit distance), of equally near ones in their order;
/// none that differs in more than a third of the text, or in 2 letters of a short one.
[[nodiscard]] std::vector<std::string> nearest_names(std::string_view text, const std::vector<std::string>& names,
                                                     std::size_t most);

/// "did you mean 'adam'?", or where nothing is near "known are sgd, adam." (the first 40 of them).
[[nodiscard]] std::string name_hint(std::string_view name, const std::vector<std::string>& names);

}  // namespace thalweg
