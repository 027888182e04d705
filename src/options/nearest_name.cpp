#include "options/nearest_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "thalweg/options.hpp"

namespace thalweg {

namespace {

bool equal_but_for_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Levenshtein's edit distance.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replace = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view text, const std::vector<std::string>& names) {
  if (text.size() > 100) return {};  // no name is near, and measuring would take long
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, text.size() / 3) + 1;
  for (const std::string& name : names) {
    if (equal_but_for_case(text, name)) return name;
    const std::size_t longer = std::max(name.size(), text.size()) - std::min(name.size(), text.size());
    if (longer >= best_distance) continue;  // each additional letter is an edit
    if (const std::size_t d = distance(text, name); d < best_distance) {
      best = name;
      best_distance = d;
    }
  }
  return best;
}

std::vector<std::string> nearest_names(std::string_view text, const std::vector<std::string>& names, std::size_t most) {
  if (text.size() > 100) return {};
  const std::size_t farthest = std::max<std::size_t>(2, text.size() / 3);
  std::vector<std::pair<std::size_t, std::size_t>> near;  // distance, and index of the name
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t longer = std::max(names[i].size(), text.size()) - std::min(names[i].size(), text.size());
    if (longer > farthest) continue;
    if (const std::size_t d = distance(text, names[i]); d <= farthest) near.emplace_back(d, i);
  }
  std::ranges::sort(near);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < std::min(most, near.size()); ++i) found.push_back(names[near[i].second]);
  return found;
}

std::string name_hint(std::string_view name, const std::vector<std::string>& names) {
  constexpr std::size_t most = 40;
  if (const std::string near = nearest_name(name, names); !near.empty()) return fmt::format("did you mean '{}'?", near);
  const std::string known = fmt::format("{}", fmt::join(std::span(names).first(std::min(names.size(), most)), ", "));
  return names.size() <= most ? fmt::format("known are {}.", known)
                              : fmt::format("known are {}, and {} more.", known, names.size() - most);
}

}  // namespace thalweg
