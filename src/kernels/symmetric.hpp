#pragma once
// Symmetric matrices: roots, inverses, eigenvectors, a step of orthogonal iteration. Computed in f64, in one fixed
// order, without allocating; each is computed where it is due, else the value before is kept.

#include "core/kernel.hpp"

namespace thalweg {

/// (n, n) symmetric, (n, n) the value before, f64 due -> (n, n): (S + number I)^(-1 / ints[0]), where due is not 0. A
/// negative eigenvalue of S counts as 0. A matrix with elements that are not finite leaves the value as it was.
[[nodiscard]] Kernel make_inverse_root(const KernelSite& site);
/// The same for the eigenvectors of S, one a column, in the order of their eigenvalues, the largest first.
[[nodiscard]] Kernel make_eigenvectors(const KernelSite& site);
/// (n, n) symmetric, (n, n) orthogonal Q, f64 due -> (n, n): the orthogonal factor of S Q = Q' R, where R has no
/// negative diagonal element.
[[nodiscard]] Kernel make_orthogonal_iteration(const KernelSite& site);

/// (n, n) symmetric, (n, n) the value before, f64 due, f64 ridge -> (n, n): (S + ridge I)^-1 by Cholesky's factors, of
/// which the lower half of S is read. Where S + ridge I is not positive definite the value stays as it was.
[[nodiscard]] Kernel make_damped_inverse(const KernelSite& site);

/// Eigenvalues, in no order, and eigenvectors of a symmetric matrix: `rows` holds its n x n elements, and then an
/// eigenvector a row. Householder's reduction to three diagonals, then implicit QL steps. (Martin, Reinsch and
/// Wilkinson 1968; Bowdler et al. 1968.) `work` is n numbers.
void decompose_symmetric(std::int64_t n, double* rows, double* values, double* work);

}  // namespace thalweg
