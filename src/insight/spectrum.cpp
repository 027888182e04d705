#include "insight/spectrum.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"

namespace thalweg {

namespace {

using Vector = std::vector<double>;

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double norm(std::span<const double> a) { return std::sqrt(dot(a, a)); }

void add_multiple(std::span<double> into, double factor, std::span<const double> of) {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] += factor * of[i];
}

void scale(std::span<double> values, double factor) {
  for (double& value : values) value *= factor;
}

/// Elements 1 or -1 with equal probability.
Vector random_signs(std::int64_t size, std::uint64_t seed, std::int64_t probe) {
  const RandomKey key = RandomKey{seed}.fold("signs").fold(static_cast<std::uint64_t>(probe));
  Vector signs(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < signs.size(); ++i) signs[i] = random_unit(key, i) < 0.5 ? -1 : 1;
  return signs;
}

Vector random_direction(std::int64_t size, std::uint64_t seed) {
  const RandomKey key = RandomKey{seed}.fold("lanczos");
  Vector direction(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < direction.size(); ++i) direction[i] = random_gauss(key, i);
  scale(direction, 1 / norm(direction));
  return direction;
}

/// The tridiagonal matrix T = Q^T A Q, and Q, column by column.
struct Lanczos {
  Vector diagonal, beside;
  std::vector<Vector> basis;
  double outside = 0;  // the norm of the part of A times the last column outside Q; 0: Q spans an invariant subspace

  Lanczos(const SymmetricMatrix& matrix, Vector start) : matrix_(matrix) { basis.push_back(std::move(start)); }

  /// Takes one more product; false where the subspace is invariant.
  bool step() {
    if (!diagonal.empty()) {
      if (outside == 0) return false;
      Vector next = std::move(left_);
      scale(next, 1 / outside);
      beside.push_back(outside);
      basis.push_back(std::move(next));
    }
    const Vector& q = basis.back();
    left_.resize(q.size());
    matrix_.times(q, left_);
    diagonal.push_back(dot(q, left_));
    if (!std::isfinite(diagonal.back()))
      fail<NumericError>(
          "[curvature] a product with the curvature matrix is not finite. Hint: check that the parameters and the loss "
          "are finite.");
    scale_ = std::max(scale_, norm(left_));
    for (int round = 0; round < 2; ++round) {
      for (const Vector& column : basis) add_multiple(left_, -dot(column, left_), column);
    }
    outside = norm(left_);
    constexpr double rounding = 1e-13;
    if (outside <= rounding * scale_ || basis.size() == q.size()) outside = 0;
    return outside > 0;
  }

  [[nodiscard]] Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solve() const {
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
    const auto n = static_cast<Eigen::Index>(diagonal.size());
    solver.computeFromTridiagonal(Eigen::Map<const Eigen::VectorXd>(diagonal.data(), n),
                                  Eigen::Map<const Eigen::VectorXd>(beside.data(), n - 1), Eigen::ComputeEigenvectors);
    return solver;
  }

 private:
  const SymmetricMatrix& matrix_;
  Vector left_;
  double scale_ = 0;
};

Eigenvalue pair_of(const Lanczos& lanczos, const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& solved,
                   Eigen::Index which) {
  const auto weights = solved.eigenvectors().col(which);
  const double radius = solved.eigenvalues().cwiseAbs().maxCoeff();
  const double rounding = std::numeric_limits<double>::epsilon() * radius * static_cast<double>(weights.size());
  Eigenvalue found{solved.eigenvalues()(which), std::abs(lanczos.outside * weights(weights.size() - 1)) + rounding};
  found.vector.assign(lanczos.basis.front().size(), 0);
  for (std::size_t i = 0; i < lanczos.basis.size(); ++i)
    add_multiple(found.vector, weights(static_cast<Eigen::Index>(i)), lanczos.basis[i]);
  return found;
}

void check(const SymmetricMatrix& matrix) {
  if (matrix.size < 1) fail<UsageError>("[curvature] a matrix of {} rows", matrix.size);
}

}  // namespace

double Extremes::radius() const { return std::max(std::abs(largest.value), std::abs(smallest.value)); }

Extremes extreme_eigenvalues(const SymmetricMatrix& matrix, const LanczosOptions& options) {
  check(matrix);
  const std::int64_t most = std::min(matrix.size, std::max<std::int64_t>(1, options.steps));
  Lanczos lanczos(matrix, random_direction(matrix.size, options.seed));
  Extremes found;
  bool more = true;
  for (std::int64_t k = 1; more && k <= most && !found.converged; ++k) {
    more = lanczos.step();
    if (options.progress) options.progress(k, most);
    found.products = k;
    if (k < most && more && k % 5 != 0) continue;  // convergence is checked every fifth product only
    const auto solved = lanczos.solve();
    const Eigen::Index last = solved.eigenvalues().size() - 1;
    const auto error = [&](Eigen::Index i) { return std::abs(lanczos.outside * solved.eigenvectors()(last, i)); };
    const double radius = std::max(std::abs(solved.eigenvalues()(0)), std::abs(solved.eigenvalues()(last)));
    found.converged = std::max(error(0), error(last)) <= options.tolerance * radius;
    if (!found.converged && k < most && more) continue;
    found.largest = pair_of(lanczos, solved, last);
    found.smallest = pair_of(lanczos, solved, 0);
  }
  return found;
}

namespace {

Estimate estimate_of(const Vector& samples) {
  const auto n = static_cast<double>(samples.size());
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / n;
  double squares = 0;
  for (const double sample : samples) squares += (sample - mean) * (sample - mean);
  return {mean, n > 1 ? std::sqrt(squares / (n - 1) / n) : std::numeric_limits<double>::infinity()};
}

}  // namespace

Diagonal estimate_diagonal(const SymmetricMatrix& matrix, const ProbeOptions& options) {
  check(matrix);
  const auto n = static_cast<std::size_t>(matrix.size);
  Vector traces, product(n);
  Diagonal result{{}, Vector(n, 0), Vector(n, 0)};  // errors hold sums of squares at first
  for (std::int64_t probe = 0; probe < options.probes; ++probe) {
    const Vector v = random_signs(matrix.size, options.seed, probe);
    matrix.times(v, product);
    traces.push_back(dot(v, product));
    const auto count = static_cast<double>(probe + 1);
    for (std::size_t i = 0; i < n; ++i) {  // Welford 1962
      const double sample = v[i] * product[i], from_mean = sample - result.values[i];
      result.values[i] += from_mean / count;
      result.errors[i] += from_mean * (sample - result.values[i]);
    }
    if (options.progress) options.progress(probe + 1, options.probes);
  }
  result.trace = estimate_of(traces);
  const auto probes = static_cast<double>(options.probes);
  for (double& error : result.errors)
    error = probes > 1 ? std::sqrt(error / (probes - 1) / probes) : std::numeric_limits<double>::infinity();
  return result;
}

Density eigenvalue_density(const SymmetricMatrix& matrix, const DensityOptions& options) {
  check(matrix);
  const std::int64_t steps = std::min(matrix.size, options.steps), most = options.probes * steps;
  std::vector<std::vector<Density::Node>> probes;
  for (std::int64_t probe = 0; probe < options.probes; ++probe) {
    Vector start = random_signs(matrix.size, options.seed, probe);
    scale(start, 1 / norm(start));
    Lanczos lanczos(matrix, std::move(start));
    bool more = true;
    for (std::int64_t k = 0; more && k < steps; ++k) {
      more = lanczos.step();
      if (options.progress) options.progress(probe * steps + k + 1, most);
    }
    const auto solved = lanczos.solve();
    std::vector<Density::Node>& nodes = probes.emplace_back();
    for (Eigen::Index i = 0; i < solved.eigenvalues().size(); ++i) {
      const double first = solved.eigenvectors()(0, i);
      nodes.push_back({solved.eigenvalues()(i), first * first});
    }
  }
  return Density(matrix.size, std::move(probes));
}

Estimate Density::mean_of(const std::function<double(double)>& f) const {
  Vector samples;
  for (const std::vector<Node>& nodes : probes_) {
    double sum = 0;
    for (const Node& node : nodes) sum += node.weight * f(node.value);
    samples.push_back(sum);
  }
  return estimate_of(samples);
}

Estimate Density::at(double t, double deviation) const {
  return mean_of([=](double value) {
    const double z = (t - value) / deviation;
    return std::exp(-z * z / 2) / (deviation * std::sqrt(2 * std::numbers::pi));
  });
}

Estimate Density::below(double t, double deviation) const {
  return mean_of([=](double value) { return std::erfc((value - t) / (deviation * std::numbers::sqrt2)) / 2; });
}

Estimate Density::trace() const {
  const Estimate mean = mean_of([](double value) { return value; });
  return {mean.value * static_cast<double>(size_), mean.error * static_cast<double>(size_)};
}

double Density::lowest() const {
  double lowest = std::numeric_limits<double>::infinity();
  for (const auto& nodes : probes_) lowest = std::min(lowest, nodes.front().value);
  return lowest;
}

double Density::highest() const {
  double highest = -std::numeric_limits<double>::infinity();
  for (const auto& nodes : probes_) highest = std::max(highest, nodes.back().value);
  return highest;
}

}  // namespace thalweg
