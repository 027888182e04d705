#pragma once
// Products too small for a library call to pay, and dot products.

#include <cstdint>

namespace thalweg {

/// C (m, n) = A B, C and B row-major (B with row stride ldb), A at i * row_stride + p * column_stride.
struct SmallProduct {
  const float* a;
  std::int64_t row_stride, column_stride;
  const float* b;
  std::int64_t ldb;
  float* c;
  std::int64_t m, n, k;
  bool add = false;  ///< C += A B
};
void small_product(const SmallProduct& product);
/// The same function, chosen for this CPU: for calls that are bound once and made often.
using SmallProductFunction = void (*)(const SmallProduct& product);
[[nodiscard]] SmallProductFunction small_product_function();

/// y[i] = sum_p a[i * lda + p] x[p]: a product with a column.
void row_dots(const float* a, std::int64_t lda, const float* x, float* y, std::int64_t m, std::int64_t k);
using RowDotsFunction = decltype(&row_dots);
[[nodiscard]] RowDotsFunction row_dots_function();

/// C (m, n) = A B^T, with A (m, k) and B (n, k); their rows are `stride` apart.
void row_products(const float* a, const float* b, std::int64_t stride, float* c, std::int64_t m, std::int64_t n,
                  std::int64_t k);

}  // namespace thalweg
