#pragma once
// Counter-based random numbers, many at a time.

#include "core/kernel.hpp"
#include "core/random.hpp"

namespace thalweg {

/// f64 seed, f64 step, i32 places (samples) -> numbers in [0, 1), an equal share of them a sample. ints: {purpose,
/// ...}.
[[nodiscard]] Kernel make_uniform(const KernelSite& site);

/// Element `i` of the `share` elements of the sample at `place`, in f64: what the kernel computes, one at a time.
[[nodiscard]] double uniform_element(RandomKey key, std::int64_t share, std::int64_t place, std::int64_t i);

/// Numbers in [0, 1) and means of the same shape -> counts: poisson_quantile of each.
[[nodiscard]] Kernel make_poisson_counts(const KernelSite& site);

/// The least k with P(K <= k) > u, K a count by Poisson's distribution with this mean, by adding probabilities up from
/// far below the mean. NaN for a mean that is below 0, beyond 1e8 or not a number.
[[nodiscard]] double poisson_quantile(double u, double mean);

}  // namespace thalweg
