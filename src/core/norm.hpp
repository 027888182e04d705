#pragma once
// The Euclidean norm without overflow or underflow of the squares.

#include <cmath>
#include <span>

namespace thalweg {

/// sqrt(sum x^2); NaN if an element is NaN, otherwise infinity if one is infinite.
template <class T>
[[nodiscard]] double norm_of(std::span<const T> x) {
  double largest = 0;
  for (const T value : x) {
    if (std::isnan(value)) return value;
    largest = std::fmax(largest, std::abs(value));
  }
  if (largest == 0 || std::isinf(largest)) return largest;
  const double scale = std::ldexp(1.0, std::ilogb(largest));  // scaling by a power of 2 does not round
  double total = 0;
  for (const T value : x) {
    const double part = value / scale;
    total += part * part;
  }
  return std::sqrt(total) * scale;
}

}  // namespace thalweg
