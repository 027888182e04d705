#pragma once
// Two things measured on the same splits: what they differ by, and how sure that is.

#include <span>

namespace thalweg {

/// The mean of a[i] - b[i], and the interval that Student's t distribution (1908) puts around it at 95 %.
struct PairedDifference {
  double mean = 0, low = 0, high = 0;
};
/// Throws UsageError for fewer than two pairs, or different numbers of values.
[[nodiscard]] PairedDifference paired_difference(std::span<const double> a, std::span<const double> b);

}  // namespace thalweg
