#pragma once
// Tests by ranks alone whether one set of results is lower than another.

#include <span>

namespace thalweg {

struct RankTest {
  double p = 1;  ///< the probability that `a` has ranks at least as low if both sides have the same distribution
  double superiority = 0;  ///< the probability that a's value is the lower one of a random pair; ties count half
};

/// The test of Mann and Whitney (1947), one-sided: a lower than b. Exact where there are no ties and at most 20 values
/// a side, else by the normal distribution with corrections for ties and continuity. Infinite values rank highest.
/// Throws UsageError for an empty side.
[[nodiscard]] RankTest rank_test(std::span<const double> a, std::span<const double> b);

}  // namespace thalweg
