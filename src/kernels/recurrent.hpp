#pragma once
// Recurrent layers over all steps: one small product and one pass over the cells a step.

#include "core/kernel.hpp"

namespace thalweg {

/// Inputs: what the gates get from the input, (batch, time, 4 units) with gates i, f, g, o; recurrent weights (units,
/// 4 units); h and c before the first step, (batch, units). Output, for each step, h, c, i, f, g, o: (batch, time,
/// 6 units).
[[nodiscard]] Kernel make_lstm(const KernelSite& site);
/// From the recurrent weights, c before the first step, the output of lstm and its cotangent: the cotangents of what
/// the gates got, and in one more row those of h and c before the first step, (batch, time + 1, 4 units). ints[0]: the
/// carry's cotangent stops at multiples of so many steps, where not 0.
[[nodiscard]] Kernel make_lstm_gradient(const KernelSite& site);

/// The same of gru: (batch, time, 3 units) with gates r, z, n; weights (units, 3 units); c_n (units); h before the
/// first step (batch, units). Output, for each step, h, r, z, n, m with m = h U_n + c_n: (batch, time, 5 units).
[[nodiscard]] Kernel make_gru(const KernelSite& site);
/// From the recurrent weights, h before the first step, the output of gru and its cotangent: the cotangents of r, z, n
/// before their activation and of m, and in one more row that of h before the first step, (batch, time + 1, 4 units).
[[nodiscard]] Kernel make_gru_gradient(const KernelSite& site);

}  // namespace thalweg
