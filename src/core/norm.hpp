#pragma once
// The Euclidean norm of numbers of any size: no square overflows, and not all of them vanish.

#include <cmath>
#include <span>

namespace thalweg {

/// sqrt(sum x^2); NaN where one element is, infinity where one is.
template <class T>
[[nodiscard]] double norm_of(std::span<const T> x) {
  double largest = 0;
  for (const T value : x) {
    if (std::isnan(value)) return value;
    largest = std::fmax(largest, std::abs(value));
  }
  if (largest == 0 || std::isinf(largest)) return largest;
  const double scale = std::ldexp(1.0, std::ilogb(largest));  // a power of 2, which rounds nothing
  double total = 0;
  for (const T value : x) {
    const double part = value / scale;
    total += part * part;
  }
  return std::sqrt(total) * scale;
}

}  // namespace thalweg
