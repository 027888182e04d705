#include "optim/bounded.hpp"

#include <Eigen/LU>
#include <algorithm>
#include <limits>
#include <vector>

namespace thalweg {

using Vector = CompactMatrix::Vector;
using Matrix = CompactMatrix::Matrix;

CompactMatrix::CompactMatrix(const Matrix& s, const Matrix& y) {
  const Eigen::Index k = s.cols();
  const Matrix sy = s.transpose() * y;
  theta_ = y.col(k - 1).squaredNorm() / sy(k - 1, k - 1);
  w_.resize(s.rows(), 2 * k);
  w_ << y, theta_ * s;
  // M^-1 = (-D, L^T; L, theta S^T S), where D is the diagonal of S^T Y and L its part below the diagonal
  Matrix inverse(2 * k, 2 * k);
  const Matrix below = sy.triangularView<Eigen::StrictlyLower>();
  inverse << -Matrix(sy.diagonal().asDiagonal()), below.transpose(), below, theta_ * s.transpose() * s;
  m_ = inverse.partialPivLu().inverse();
}

CompactMatrix::Cauchy CompactMatrix::cauchy_point(const Vector& x, const Vector& g, const Vector& lower,
                                                  const Vector& upper) const {
  const Eigen::Index n = x.size();
  Vector d = -g;
  std::vector<std::pair<double, Eigen::Index>> breaks;  // where along the path a coordinate meets its bound
  for (Eigen::Index i = 0; i < n; ++i) {
    double t = std::numeric_limits<double>::infinity();
    if (g[i] < 0) t = (x[i] - upper[i]) / g[i];
    if (g[i] > 0) t = (x[i] - lower[i]) / g[i];
    if (t <= 0) d[i] = 0;
    if (t > 0 && t < std::numeric_limits<double>::infinity()) breaks.emplace_back(t, i);
  }
  std::ranges::sort(breaks);
  Cauchy result{x, Vector::Zero(w_.cols())};
  Vector p = w_.transpose() * d;
  double slope = -d.squaredNorm(), bend = -theta_ * slope - p.dot(times_m(p)), t = 0;
  const double rounding = std::numeric_limits<double>::epsilon() * bend;
  for (const auto& [at, i] : breaks) {
    if (slope >= 0) break;
    const double stretch = at - t;
    if (-slope / bend < stretch) break;
    result.x[i] = d[i] > 0 ? upper[i] : lower[i];
    const double moved = result.x[i] - x[i];
    result.c += stretch * p;
    t = at;
    const Vector row = w_.row(i).transpose(), m_row = times_m(row);
    slope += stretch * bend + g[i] * g[i] + theta_ * g[i] * moved - g[i] * m_row.dot(result.c);
    bend = std::max(rounding, bend - theta_ * g[i] * g[i] - 2 * g[i] * m_row.dot(p) - g[i] * g[i] * m_row.dot(row));
    p += g[i] * row;
    d[i] = 0;
  }
  const double rest = bend > 0 ? std::max(0.0, -slope / bend) : 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (d[i] != 0) result.x[i] = std::clamp(x[i] + (t + rest) * d[i], lower[i], upper[i]);
  }
  result.c += rest * p;
  return result;
}

/// The direct primal method of section 5.1, with a shorter step where it would leave the bounds.
Vector CompactMatrix::subspace_minimum(const Cauchy& from, const Vector& x, const Vector& g, const Vector& lower,
                                       const Vector& upper) const {
  std::vector<Eigen::Index> free;
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    if (from.x[i] > lower[i] && from.x[i] < upper[i]) free.push_back(i);
  }
  if (free.empty()) return from.x;
  const auto count = static_cast<Eigen::Index>(free.size());
  const Vector all = g + theta_ * (from.x - x) - w_ * times_m(from.c);
  Matrix w(count, w_.cols());
  Vector r(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    w.row(i) = w_.row(free[static_cast<std::size_t>(i)]);
    r[i] = all[free[static_cast<std::size_t>(i)]];
  }
  Vector step = -r / theta_;
  if (w_.cols() > 0) {
    const Matrix core = Matrix::Identity(w.cols(), w.cols()) - m_ * (w.transpose() * w) / theta_;
    step -= w * core.partialPivLu().solve(m_ * (w.transpose() * r)) / (theta_ * theta_);
  }
  double part = 1;
  for (Eigen::Index i = 0; i < count; ++i) {
    const Eigen::Index at = free[static_cast<std::size_t>(i)];
    if (step[i] > 0) part = std::min(part, (upper[at] - from.x[at]) / step[i]);
    if (step[i] < 0) part = std::min(part, (lower[at] - from.x[at]) / step[i]);
  }
  Vector result = from.x;
  for (Eigen::Index i = 0; i < count; ++i) result[free[static_cast<std::size_t>(i)]] += part * step[i];
  return result.cwiseMax(lower).cwiseMin(upper);
}

Vector CompactMatrix::minimum(const Vector& x, const Vector& g, const Vector& lower, const Vector& upper) const {
  return subspace_minimum(cauchy_point(x, g, lower, upper), x, g, lower, upper);
}

}  // namespace thalweg
