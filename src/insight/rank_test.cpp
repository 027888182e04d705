#include "insight/rank_test.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <vector>

#include "core/error.hpp"

namespace thalweg {

namespace {

/// P(U <= u) for n and m values without ties, from the number of ways to reach each U.
double exact(std::size_t n, std::size_t m, std::size_t u) {
  // ways[k][s]: number of sets of k ranks whose U is s, as ranks are added one by one
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(n * m + 1, 0));
  ways[0][0] = 1;
  for (std::size_t rank = 0; rank < n + m; ++rank) {
    for (std::size_t k = std::min(n, rank + 1); k >= 1; --k) {
      if (rank + 1 < k) continue;
      const std::size_t added = rank - (k - 1);  // number of values of the other side below it
      for (std::size_t s = n * m + 1; s-- > added;) ways[k][s] += ways[k - 1][s - added];
    }
  }
  double below = 0, all = 0;
  for (std::size_t s = 0; s <= n * m; ++s) {
    all += ways[n][s];
    if (s <= u) below += ways[n][s];
  }
  return below / all;
}

}  // namespace

RankTest rank_test(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) fail<UsageError>("[study] a side without results cannot be ranked");
  double u = 0;  // pairs in which a's value is the higher, ties half
  std::map<double, double> counts;
  for (const double x : a) {
    ++counts[x];
    for (const double y : b) u += x > y ? 1 : x == y ? 0.5 : 0;
  }
  for (const double y : b) ++counts[y];
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size()), all = n + m;
  RankTest test{.superiority = 1 - u / (n * m)};
  const bool ties = std::ranges::any_of(counts, [](const auto& count) { return count.second > 1; });
  if (!ties && a.size() <= 20 && b.size() <= 20) {
    test.p = exact(a.size(), b.size(), static_cast<std::size_t>(u));
    return test;
  }
  double tied = 0;
  for (const auto& [value, count] : counts) tied += count * count * count - count;
  const double variance = n * m / 12 * (all + 1 - tied / (all * (all - 1)));
  if (variance > 0) test.p = std::erfc(-(u - n * m / 2 + 0.5) / std::sqrt(2 * variance)) / 2;
  return test;
}

}  // namespace thalweg
