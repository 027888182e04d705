#pragma once
// Whether one set of results is lower than another, by their ranks alone.

#include <span>

namespace thalweg {

struct RankTest {
  double p = 1;            ///< the probability of ranks at least as low for `a` where both are of one distribution
  double superiority = 0;  ///< of a random pair the part in which a's is lower; ties count half
};

/// The test of Mann and Whitney (1947), one-sided: a lower than b. Exact where there are no ties and at most 20 values
/// a side, else by the normal distribution with corrections for ties and continuity. Infinite values rank highest.
/// Throws UsageError for an empty side.
[[nodiscard]] RankTest rank_test(std::span<const double> a, std::span<const double> b);

}  // namespace thalweg
