#pragma once
// The window function for short-time Fourier transforms of sound.

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace thalweg {

/// The periodic Hann window: (1 - cos(2 pi n / size)) / 2.
[[nodiscard]] inline std::vector<double> hann_window(std::int64_t size) {
  std::vector<double> window;
  for (std::int64_t n = 0; n < size; ++n)
    window.push_back(0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(n) / static_cast<double>(size)));
  return window;
}

}  // namespace thalweg
