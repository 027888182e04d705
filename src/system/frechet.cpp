// The Frechet distance between two sets of features.

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "thalweg/distance.hpp"

namespace thalweg::metric {

namespace {

using Matrix = Eigen::MatrixXd;

struct Moments {
  Eigen::VectorXd mean;
  Matrix covariance;

  /// Of the features divided by `unit`.
  Moments(const Tensor& features, double unit) {
    const Shape& shape = features.shape();
    if (shape.rank() != 2 || shape[0] < 2 || shape[1] < 1 || !is_float(features.dtype()))
      fail<UsageError>("[frechet_distance] features {} {}. Wanted: f32 or f64 (rows, width), two rows or more",
                       features.dtype(), shape);
    const Tensor exact = features.to(f64);
    Matrix rows = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
                      exact.values<double>().data(), shape[0], shape[1]) /
                  unit;
    mean = rows.colwise().mean();
    rows.rowwise() -= mean.transpose();
    covariance = rows.transpose() * rows / static_cast<double>(shape[0] - 1);
  }
};

/// The square root of a symmetric matrix without negative eigenvalues; small negative ones from rounding count as 0.
Matrix root_of(const Matrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
  const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
}

/// A power of 2 near the largest feature: the products of features divided by it do not overflow. It does not round.
double unit_of(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (const Tensor* features : {&a, &b}) {
    const Tensor exact = features->to(f64);
    for (const double x : exact.values<double>()) largest = std::max(largest, std::abs(x));
  }
  return largest > 0 && std::isfinite(largest) ? std::ldexp(1.0, std::ilogb(largest)) : 1;
}

}  // namespace

double frechet_distance(const Tensor& a, const Tensor& b) {
  const double unit = unit_of(a, b);
  const Moments first(a, unit), second(b, unit);
  if (first.mean.size() != second.mean.size())
    fail<UsageError>("[frechet_distance] features of widths {} and {}. Wanted: one width", first.mean.size(),
                     second.mean.size());
  if (!first.covariance.allFinite() || !second.covariance.allFinite()) return std::nan("");
  // C_a C_b has the eigenvalues of the symmetric matrix R C_b R, where R is the root of C_a
  const Matrix root = root_of(first.covariance);
  const Eigen::SelfAdjointEigenSolver<Matrix> between(root * second.covariance * root, Eigen::EigenvaluesOnly);
  const double shared = between.eigenvalues().cwiseMax(0).cwiseSqrt().sum();
  // rounding leads below 0 where the sets are nearly equal
  const double distance =
      (first.mean - second.mean).squaredNorm() + first.covariance.trace() + second.covariance.trace() - 2 * shared;
  return std::max(0.0, distance) * unit * unit;
}

}  // namespace thalweg::metric
