#pragma once
// The one door to oneDNN. Its contract, each point of which was seen to matter: run at one OpenMP thread (results
// change with the count), which is set and restored here on whatever thread calls.

#include <cstdint>

namespace thalweg {

/// C (m, n) = op(A) op(B), row-major; op transposes where told. With `add`, C += it.
void onednn_product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                    std::int64_t lda, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool add = false);

}  // namespace thalweg
