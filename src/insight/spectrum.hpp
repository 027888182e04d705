#pragma once
// The eigenvalues of a symmetric matrix that is known by its products alone: the largest and the smallest, their
// density, the trace and the diagonal, each with its error.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace thalweg {

/// A symmetric matrix A of so many rows: `times` writes A v.
struct SymmetricMatrix {
  std::int64_t size = 0;
  std::function<void(std::span<const double> v, std::span<double> product)> times;
};

struct LanczosOptions {
  std::int64_t steps = 100;  ///< products, at most
  double tolerance = 1e-4;   ///< stop where both ends are known to this part of the largest absolute value
  std::uint64_t seed = 1;    ///< of the vector to begin with
  std::function<void(std::int64_t done, std::int64_t most)> progress = {};
};

/// An eigenvalue lies within `error` of `value`: |A x - value x| of the unit vector x (Parlett 1980, 4.5.1), and what
/// rounding adds.
struct Eigenvalue {
  double value = 0, error = 0;
  std::vector<double> vector = {};
};

struct Extremes {
  Eigenvalue largest, smallest;
  std::int64_t products = 0;
  bool converged = false;               ///< both to the tolerance that was asked for
  [[nodiscard]] double radius() const;  ///< the larger absolute value
};

/// Both ends of the spectrum, by the method of Lanczos (1950) with full reorthogonalisation: each new vector is made
/// orthogonal to all before it, twice. Keeps a vector a step. Throws NumericError for a product that is not finite.
[[nodiscard]] Extremes extreme_eigenvalues(const SymmetricMatrix& matrix, const LanczosOptions& options = {});

/// A mean over random probes, and the standard error of that mean.
struct Estimate {
  double value = 0, error = 0;
};

struct ProbeOptions {
  std::int64_t probes = 10;  ///< random vectors of signs; at least 2, or there is no error
  std::uint64_t seed = 1;
  std::function<void(std::int64_t done, std::int64_t most)> progress = {};
};

/// v^T A v and v * (A v) of random signs v are the trace and the diagonal in the mean (Hutchinson 1990; Bekas,
/// Kokiopoulou and Saad 2007).
struct Diagonal {
  Estimate trace;
  std::vector<double> values, errors;  ///< an element of the diagonal each, and its standard error
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

  /// The density at t of the eigenvalues, each spread to a normal distribution of this deviation.
  [[nodiscard]] Estimate at(double t, double deviation) const;
  /// The part of the eigenvalues below t, each spread so.
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
  std::int64_t probes = 10, steps = 40;  ///< products: their product
  std::uint64_t seed = 1;
  std::function<void(std::int64_t done, std::int64_t most)> progress = {};
};
[[nodiscard]] Density eigenvalue_density(const SymmetricMatrix& matrix, const DensityOptions& options = {});

}  // namespace thalweg
