#pragma once
// What this machine reaches: products by size and precision, the memory, and what a kernel costs that does nothing.

#include <cstdint>
#include <vector>

#include "core/workers.hpp"

namespace thalweg {

/// Of all workers together, each at work on its own.
struct Rates {
  /// Operations a second of products of square matrices of this width, by our own kernels and the libraries'.
  struct Product {
    std::int64_t width;
    double f32, f64;
  };
  std::vector<Product> products;  ///< the widest last
  double memory = 0;              ///< bytes a second that are read and written, of blocks that no cache holds
  double kernel = 0;              ///< seconds of a kernel of one element
};

/// Takes about a second.
[[nodiscard]] Rates measure_rates(Workers& workers);

}  // namespace thalweg
