#pragma once
// Counter-based random numbers, many in one call.

#include "core/kernel.hpp"
#include "core/random.hpp"

namespace thalweg {

/// f64 seed, f64 step, i32 places (samples) -> numbers in [0, 1), the same number of them for each sample. ints:
/// {purpose, ...}.
[[nodiscard]] Kernel make_uniform(const KernelSite& site);

/// Element `i` of the `share` elements of the sample at `place`, in f64: a single one of the numbers that the kernel
/// computes.
[[nodiscard]] double uniform_element(RandomKey key, std::int64_t share, std::int64_t place, std::int64_t i);

/// Numbers in [0, 1) and means of the same shape -> counts: poisson_quantile of each.
[[nodiscard]] Kernel make_poisson_counts(const KernelSite& site);

/// The smallest k with P(K <= k) > u for a Poisson count K with this mean, by adding probabilities from far below the
/// mean upwards. NaN for a mean that is below 0, above 1e8 or not a number.
[[nodiscard]] double poisson_quantile(double u, double mean);

}  // namespace thalweg
