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
/// The same of pairs with weights above 0: the variance of a weighted mean, sum w^2 (d - mean)^2 / (sum w)^2, and as
/// many pairs as (sum w)^2 / sum w^2.
[[nodiscard]] PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                                 std::span<const double> weights);
/// How many pairs of equal weight tell as much: (sum w)^2 / sum w^2.
[[nodiscard]] double effective_count(std::span<const double> weights);

}  // namespace thalweg
