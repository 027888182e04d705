#pragma once
// Lists of names in messages, shortened to fit a line.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace thalweg::data {

inline constexpr std::size_t listed_at_most = 12;

/// "a, b, c", or for many names "a, b, c and 997 more".
[[nodiscard]] inline std::string listed(const std::vector<std::string>& names) {
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), listed_at_most));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "),
                     names.size() > listed_at_most ? fmt::format(" and {} more", names.size() - listed_at_most) : "");
}

}  // namespace thalweg::data
