#pragma once
// Krylov spaces: the minimum of a quadratic model, and a direction of negative curvature, from products alone.

#include <functional>

#include "optim/elements.hpp"

namespace thalweg {

/// product = B v
using LinearOperator = std::function<void(const Tensor& v, Tensor& product)>;

/// Working memory: vectors of the size of x.
struct KrylovRoom {
  Tensor &residual, &direction, &product;
};

struct QuadraticStep {
  double fall = 0;    ///< predicted by the model: -(g s + s B s / 2)
  double length = 0;  ///< |s|
  bool negative_curvature = false, at_border = false;
};

/// Sets step to an approximate minimum of g s + s B s / 2 over |s| <= radius, by conjugate gradients from 0, until the
/// residual is at most `tolerance` or the step meets the border. Along a direction of negative curvature the step goes
/// to the border. (Steihaug 1983)
QuadraticStep minimize_quadratic(const LinearOperator& b, const Tensor& gradient, double radius, double tolerance,
                                 std::int64_t iterations, Tensor& step, KrylovRoom room);

/// The smallest eigenvalue of B and its eigenvector of length 1, by at most `steps` steps of Lanczos's method with full
/// reorthogonalisation, from a direction drawn from the seed. `largest` is the largest eigenvalue.
struct LowestCurvature {
  double value = 0, largest = 0;
  Tensor direction;
};
[[nodiscard]] LowestCurvature lowest_curvature(const LinearOperator& b, const Tensor& like, std::int64_t steps,
                                               std::uint64_t seed);

}  // namespace thalweg
