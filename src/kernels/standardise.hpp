#pragma once
// Rows with mean 0 and variance 1: layer and RMS normalisation before their scale.

#include "core/kernel.hpp"

namespace thalweg {

/// (..., n) -> (x - m) / sqrt(mean (x - m)^2 + number) along the last axis; m is the mean if ints[0] is 1, else 0.
[[nodiscard]] Kernel make_standardise(const KernelSite& site);
/// x, g -> the cotangent of x: (g - mean g - y mean(g y)) / sqrt(...), without the mean of g if m is 0.
[[nodiscard]] Kernel make_standardise_pull(const KernelSite& site);

}  // namespace thalweg
