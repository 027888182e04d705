#pragma once
// Measured speeds of this machine: products by size and precision, memory bandwidth, and the cost of an empty kernel.

#include <cstdint>
#include <vector>

#include "core/workers.hpp"

namespace thalweg {

/// The sum over all workers, each with its own operands.
struct Rates {
  /// Operations per second in products of square matrices of this width, with the kernels of this library and of
  /// oneDNN.
  struct Product {
    std::int64_t width;
    double f32, f64;
  };
  std::vector<Product> products;  ///< the widest last
  double memory = 0;              ///< bytes read and written per second, for blocks larger than every cache
  double kernel = 0;              ///< seconds for a kernel of one element
};

/// Takes about a second.
[[nodiscard]] Rates measure_rates(Workers& workers);

}  // namespace thalweg
