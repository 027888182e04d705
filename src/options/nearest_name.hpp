#pragma once
// What to say of a name that is not among those known.

#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// "did you mean 'adam'?", or where nothing is near "known are sgd, adam." (the first 40 of them).
[[nodiscard]] std::string name_hint(std::string_view name, const std::vector<std::string>& names);

}  // namespace thalweg
