#pragma once
// Symmetric matrices: roots, inverses, eigenvectors, a step of orthogonal iteration. Computed in f64, in a fixed order,
// without allocating. Each is computed only in steps in which it is due; otherwise the previous value is kept.

#include "core/kernel.hpp"

namespace thalweg {

/// (n, n) symmetric, (n, n) previous value, f64 due -> (n, n): (S + number I)^(-1 / ints[0]) if due is not 0. A
/// negative eigenvalue of S counts as 0. If S has elements that are not finite, the previous value is kept.
[[nodiscard]] Kernel make_inverse_root(const KernelSite& site);
/// The same for the eigenvectors of S, one per column, ordered by their eigenvalues, the largest first.
[[nodiscard]] Kernel make_eigenvectors(const KernelSite& site);
/// (n, n) symmetric, (n, n) orthogonal Q, f64 due -> (n, n): the orthogonal factor of S Q = Q' R, where R has no
/// negative diagonal element.
[[nodiscard]] Kernel make_orthogonal_iteration(const KernelSite& site);

/// (n, n) symmetric, (n, n) previous value, f64 due, f64 ridge -> (n, n): (S + ridge I)^-1 by Cholesky's factorisation,
/// which reads the lower half of S. If S + ridge I is not positive definite, the previous value is kept.
[[nodiscard]] Kernel make_damped_inverse(const KernelSite& site);

/// Eigenvalues, in no particular order, and eigenvectors of a symmetric matrix: `rows` holds its n x n elements on
/// entry, and one eigenvector per row on return. Householder's reduction to tridiagonal form, then implicit QL steps
/// (Martin, Reinsch and Wilkinson 1968; Bowdler et al. 1968). `work` has n numbers.
void decompose_symmetric(std::int64_t n, double* rows, double* values, double* work);

}  // namespace thalweg
