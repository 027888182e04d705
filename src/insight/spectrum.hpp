#pragma once
// Eigenvalues of a symmetric matrix from matrix-vector products alone: the largest and the smallest, the density of
// all, the trace and the diagonal, each with its error.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace thalweg {

/// A symmetric matrix A of `size` rows; `times` writes A v.
struct SymmetricMatrix {
  std::int64_t size = 0;
  std::function<void(std::span<const double> v, std::span<double> product)> times;
};

struct LanczosOptions {
  std::int64_t steps = 100;  ///< most products
  double tolerance =
      1e-4;  ///< stop when the errors of both ends are below this fraction of the largest absolute eigenvalue
  std::uint64_t seed = 1;  ///< seed of the first vector
  std::function<void(std::int64_t done, std::int64_t most)> progress = {};
};

/// An eigenvalue lies within `error` of `value`. The error is |A x - value x| for the unit vector x (Parlett
/// 1980, 4.5.1) plus a bound for rounding.
struct Eigenvalue {
  double value = 0, error = 0;
  std::vector<double> vector = {};
};

struct Extremes {
  Eigenvalue largest, smallest;
  std::int64_t products = 0;
  bool converged = false;               ///< whether both reached the tolerance
  [[nodiscard]] double radius() const;  ///< the larger absolute value
};

/// Both ends of the spectrum, by the method of Lanczos (1950) with full reorthogonalisation: each new vector is made
/// orthogonal to all earlier ones, twice. Keeps one vector for each step. Throws NumericError for a product that is not
/// finite.
[[nodiscard]] Extremes extreme_eigenvalues(const SymmetricMatrix& matrix, const LanczosOptions& options = {});

/// A mean over random probes, and the standard error of that mean.
struct Estimate {
  double value = 0, error = 0;
};

struct ProbeOptions {
  std::int64_t probes = 10;  ///< number of random sign vectors; an error needs at least 2
  std::uint64_t seed = 1;
  std::function<void(std::int64_t done, std::int64_t most)> progress = {};
};

/// For random signs v, the expected values of v^T A v and v * (A v) are the trace and the diagonal (Hutchinson 1990;
/// Bekas, Kokiopoulou and Saad 2007).
struct Diagonal {
  Estimate trace;
  std::vector<double> values, errors;  ///< the elements of the diagonal, and their standard errors
};
[[nodiscard]] Diagonal estimate_diagonal(const SymmetricMatrix& matrix, const ProbeOptions& options = {});

/// The eigenvalues as a distribution of mass 1: for each probe, nodes and their weights (stochastic Lanczos quadrature;
/// Golub and Meurant 1994; Ubaru, Chen and Saad 2017). The weight of a node is the square of the first element of the
/// eigenvector of the probe's tridiagonal matrix.
class Density {
 public:
  struct Node {
    double value = 0, weight = 0;
  };
  explicit Density(std::int64_t size, std::vector<std::vector<Node>> probes)
      : size_(size), probes_(std::move(probes)) {}

  /// The density of the eigenvalues at t, each widened to a normal distribution of this standard deviation.
  [[nodiscard]] Estimate at(double t, double deviation) const;
  /// The fraction of the eigenvalues below t, with the same widening.
  [[nodiscard]] Estimate below(double t, double deviation) const;
  /// The sum of all eigenvalues.
  [[nodiscard]] Estimate trace() const;
  [[nodiscard]] double lowest() const;
  [[nodiscard]] double highest() const;
  [[nodiscard]] const std::vector<std::vector<Node>>& probes() const { return probes_; }

 private:
  /// The mean over the probes of the sum of weight * f(value).
  [[nodiscard]] Estimate mean_of(const std::function<double(double)>& f) const;

  std::int64_t size_;
  std::vector<std::vector<Node>> probes_;
};

struct DensityOptions {
  std::int64_t probes = 10, steps = 40;  ///< takes probes * steps products
  std::uint64_t seed = 1;
  std::function<void(std::int64_t done, std::int64_t most)> progress = {};
};
[[nodiscard]] Density eigenvalue_density(const SymmetricMatrix& matrix, const DensityOptions& options = {});

}  // namespace thalweg
