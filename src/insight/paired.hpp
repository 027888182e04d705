#pragma once
// The difference of two things that were measured on the same splits, with a confidence interval.

#include <span>

namespace thalweg {

/// The mean of a[i] - b[i], and its 95 % confidence interval by Student's t distribution (1908).
struct PairedDifference {
  double mean = 0, low = 0, high = 0;
};
/// Throws UsageError for fewer than two pairs, or different numbers of values.
[[nodiscard]] PairedDifference paired_difference(std::span<const double> a, std::span<const double> b);

}  // namespace thalweg
