#pragma once
// Functions of symmetric matrices, for rules that keep such matrices from step to step. Constants to derivatives.

#include "thalweg/var.hpp"

namespace thalweg {

// `due` is an f64 scalar: where it is 0, the result is a copy of the last value.

/// (S + ridge I)^(-1/order), of the eigenvalues of S that are not negative.
[[nodiscard]] Var inverse_root(Var symmetric, Var before, Var due, int order, double ridge);
/// (S + ridge I)^-1, for an f64 scalar `ridge`; the last value where S + ridge I is not positive definite.
[[nodiscard]] Var damped_inverse(Var symmetric, Var before, Var due, Var ridge);
/// Eigenvectors as columns, the one with the largest eigenvalue first.
[[nodiscard]] Var eigenvectors(Var symmetric, Var before, Var due);
/// Q' of S Q = Q' R with no negative diagonal element in R: a step of orthogonal iteration towards the eigenvectors.
[[nodiscard]] Var orthogonal_iteration(Var symmetric, Var orthogonal, Var due);

}  // namespace thalweg
