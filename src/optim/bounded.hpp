#pragma once
// L-BFGS-B: the compact form of the limited-memory matrix, and the minimum of its model between bounds (Byrd, Lu,
// Nocedal and Zhu 1995).

#include <Eigen/Core>

#include "thalweg/tensor.hpp"

namespace thalweg {

/// B = theta I - W M W^T with W = (Y, theta S), from pairs s, y in their order.
class CompactMatrix {
 public:
  using Vector = Eigen::VectorXd;
  using Matrix = Eigen::MatrixXd;

  /// No pairs: B = I.
  explicit CompactMatrix(Eigen::Index n) : w_(n, 0), m_(0, 0) {}
  /// Each pair is a column.
  CompactMatrix(const Matrix& s, const Matrix& y);

  [[nodiscard]] double theta() const { return theta_; }
  [[nodiscard]] const Matrix& w() const { return w_; }
  /// M v
  [[nodiscard]] Vector times_m(const Vector& v) const { return m_ * v; }

  /// An approximate minimum of the quadratic model g^T (x' - x) + (x' - x)^T B (x' - x) / 2: its first minimum along
  /// the projected gradient (the Cauchy point), then its minimum over the coordinates that are at no bound there, cut
  /// back to the bounds.
  [[nodiscard]] Vector minimum(const Vector& x, const Vector& g, const Vector& lower, const Vector& upper) const;

 private:
  struct Cauchy {
    Vector x, c;  ///< the point, and W^T (x - x0)
  };
  [[nodiscard]] Cauchy cauchy_point(const Vector& x, const Vector& g, const Vector& lower, const Vector& upper) const;
  [[nodiscard]] Vector subspace_minimum(const Cauchy& from, const Vector& x, const Vector& g, const Vector& lower,
                                        const Vector& upper) const;

  double theta_ = 1;
  Matrix w_, m_;
};

}  // namespace thalweg
