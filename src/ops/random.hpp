#pragma once
// Random numbers in a graph: a pure function of counters that are inputs.

#include "graph/graph.hpp"

namespace thalweg {

/// Uniform in [0, 1): the multiples of 2^-24 in f32, of 2^-53 in f64. `seed` and `step` are f64 scalars, `places` i32
/// (samples); each sample's share of the elements follows from its place, and all from the purpose.
[[nodiscard]] Var random_uniform(Var seed, Var step, Var places, std::string_view purpose, const Shape& shape,
                                 DType dtype);
/// Standard normal, of two uniform ones. (Box and Muller 1958)
[[nodiscard]] Var random_normal(Var seed, Var step, Var places, std::string_view purpose, const Shape& shape,
                                DType dtype);
/// Counts by Poisson's distribution, one for each uniform number and mean, both of one shape and dtype: the least k
/// with P(K <= k) > u. NaN where a mean is below 0 or beyond 1e8. A constant to derivatives.
[[nodiscard]] Var poisson_count(Var uniform, Var mean);

}  // namespace thalweg
