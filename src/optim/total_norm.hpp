#pragma once
// Norms over all parameters of a chain, without overflow or underflow of the squares.

#include "thalweg/optim.hpp"

namespace thalweg::optim {

/// A power of 2 near the sum of |x| over all parameters: squares of x divided by it neither overflow nor all vanish,
/// and the division does not round. 1 where x is 0 or NaN.
[[nodiscard]] Var unit_of(Update& u, const Var& x);

/// sqrt(sum x^2) over all parameters.
[[nodiscard]] Var total_norm(Update& u, const Var& x);

}  // namespace thalweg::optim
