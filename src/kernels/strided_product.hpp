#pragma once
// Products of matrices with strided rows, inside kernels of f32 and f64.

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#include "kernels/onednn.hpp"

namespace thalweg {

/// How a factor is stored: the distance between rows in elements, and whether its transpose is meant.
struct Factor {
  bool transposed;
  std::int64_t row;
};

/// C (m, n) = A B, or C += A B.
inline void strided_product(Factor a, Factor b, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                            const float* y, float* z, std::int64_t ldz, bool add) {
  onednn_product(a.transposed, b.transposed, m, n, k, x, a.row, y, b.row, z, ldz, add);
}
inline void strided_product(Factor a, Factor b, std::int64_t m, std::int64_t n, std::int64_t k, const double* x,
                            const double* y, double* z, std::int64_t ldz, bool add) {
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Strided = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;
  const auto matrix = [](const Factor& how, std::int64_t rows, std::int64_t columns, const double* p) {
    const Strided stored(p, how.transposed ? columns : rows, how.transposed ? rows : columns,
                         Eigen::OuterStride<>(how.row));
    return how.transposed ? Rows(stored.transpose()) : Rows(stored);
  };
  Eigen::Map<Rows, 0, Eigen::OuterStride<>> out(z, m, n, Eigen::OuterStride<>(ldz));
  if (!add) out.setZero();
  out.noalias() += matrix(a, m, k, x) * matrix(b, k, n, y);
}

}  // namespace thalweg
