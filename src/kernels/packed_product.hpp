#pragma once
// Products of large matrices in f32. Both factors are copied into panels that the innermost loop reads sequentially,
// whatever their strides are; the result is computed in tiles, each of which is a task. The order in which an element's
// terms are added depends only on k, so that neither the tiles nor the threads change a bit of it.

#include <cstddef>
#include <cstdint>

#include "core/workers.hpp"

namespace thalweg {

/// C (m, n) = A B, C row-major; element (i, q) of A is a[i * a_row + q * a_depth], (q, j) of B is
/// b[q * b_depth + j * b_column].
struct PackedProduct {
  std::int64_t m, n, k;
  const float* a;
  std::int64_t a_row, a_depth;
  const float* b;
  std::int64_t b_depth, b_column;
  float* c;
};

/// Whether packing is worth the copies: for products large enough for many tiles, and for medium ones whose factors are
/// read across rows that are a multiple of 2 KB apart, because those map to few sets of a cache.
[[nodiscard]] bool packing_pays(const PackedProduct& product);

/// Bytes for the panels.
[[nodiscard]] std::size_t panel_bytes(std::int64_t m, std::int64_t n, std::int64_t k);

/// `panels` is memory of panel_bytes(), aligned to a cache line.
void packed_product(const PackedProduct& product, float* panels, Workers& workers);

}  // namespace thalweg
