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

}  // namespace thalweg
