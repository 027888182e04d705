#include "optim/krylov.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <vector>

namespace thalweg {

namespace {

/// t >= 0 with |s + t d| = radius.
double to_border(ConstElements s, ConstElements d, double radius) {
  const double dd = dot(d, d), sd = dot(s, d), left = std::max(0.0, radius * radius - dot(s, s));
  const double root = std::sqrt(sd * sd + dd * left);
  return sd > 0 ? left / (sd + root) : (root - sd) / dd;
}

}  // namespace

QuadraticStep minimize_quadratic(const LinearOperator& b, const Tensor& gradient, double radius, double tolerance,
                                 std::int64_t iterations, Tensor& step, KrylovRoom room) {
  Tensor &r = room.residual, &d = room.direction, &product = room.product;
  fill(step, 0);
  copy(gradient, r);  // the gradient of the model at the step
  move(r, -2, r, d);  // -r
  double rr = dot(r, r);
  QuadraticStep done;
  const auto finish = [&] {
    done.fall = -(dot(gradient, step) + dot(r, step)) / 2;  // r = g + B s
    done.length = norm(step);
    return done;
  };
  for (std::int64_t i = 0; i < iterations && std::sqrt(rr) > tolerance; ++i) {
    b(d, product);
    const double bend = dot(d, product);
    done.negative_curvature = !(bend > 0);
    double t = done.negative_curvature ? 0 : rr / bend;
    bool outside = done.negative_curvature;
    if (!outside && std::isfinite(radius)) {
      const double ss = dot(step, step), sd = dot(step, d), dd = dot(d, d);
      outside = ss + 2 * t * sd + t * t * dd >= radius * radius;
    }
    if (done.negative_curvature && !std::isfinite(radius))
      return finish();  // without a border, stop where the curvature becomes negative
    if (outside) t = to_border(step, d, radius);
    add(step, t, d);
    add(r, t, product);
    if (outside) {
      done.at_border = true;
      return finish();
    }
    const double next = dot(r, r);
    thalweg::scale(d, next / rr);
    add(d, -1, r);
    rr = next;
  }
  return finish();
}

LowestCurvature lowest_curvature(const LinearOperator& b, const Tensor& like, std::int64_t steps, std::uint64_t seed) {
  const std::int64_t n = like.size(), most = std::min(steps, n);
  std::vector<Tensor> basis = {random_normal({n}, seed, like.dtype())};
  thalweg::scale(basis[0], 1 / norm(basis[0]));
  std::vector<double> diagonal, beside;
  Tensor product({n}, like.dtype());
  for (std::int64_t i = 0; i < most; ++i) {
    const auto place = static_cast<std::size_t>(i);
    b(basis[place], product);
    diagonal.push_back(dot(basis[place], product));
    for (int twice = 0; twice < 2; ++twice) {
      for (const Tensor& v : basis) add(product, -dot(v, product), v);
    }
    const double length = norm(product);
    const double size = std::abs(diagonal.back()) + (beside.empty() ? 0 : beside.back());
    if (i + 1 == most || !(length > 1e-12 * size)) break;
    beside.push_back(length);
    basis.push_back(product);
    thalweg::scale(basis.back(), 1 / length);
  }
  const auto count = static_cast<Eigen::Index>(diagonal.size());
  Eigen::MatrixXd t = Eigen::MatrixXd::Zero(count, count);
  for (Eigen::Index i = 0; i < count; ++i) t(i, i) = diagonal[static_cast<std::size_t>(i)];
  for (Eigen::Index i = 0; i + 1 < count; ++i) t(i, i + 1) = t(i + 1, i) = beside[static_cast<std::size_t>(i)];
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(t);
  LowestCurvature lowest{solved.eigenvalues()[0], solved.eigenvalues()[count - 1], Tensor({n}, like.dtype())};
  for (Eigen::Index i = 0; i < count; ++i) {
    add(lowest.direction, solved.eigenvectors()(i, 0), basis[static_cast<std::size_t>(i)]);
  }
  return lowest;
}

}  // namespace thalweg
