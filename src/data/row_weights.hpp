#pragma once
// The size of row weights, of which only the ratios matter.

#include <cmath>
#include <cstdlib>

namespace thalweg::data {

/// The exponent of the power of two by which weights with this mean are divided, which rounds none of them. It is 0
/// unless the mean is so far from 1 that sums of the weights could leave the range of f32.
[[nodiscard]] inline int weight_exponent(double mean) {
  constexpr int usual = 20;
  const int size = mean > 0 && std::isfinite(mean) ? std::ilogb(mean) : 0;
  return std::abs(size) > usual ? size : 0;
}

}  // namespace thalweg::data
