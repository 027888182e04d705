#pragma once
// Recurrent layers over all steps. Each step is one small product and one pass over the cells.

#include "core/kernel.hpp"

namespace thalweg {

/// Inputs: the part of the gates that comes from the layer's input, (batch, time, 4 units) with gates i, f, g, o;
/// recurrent weights (units, 4 units); h and c before the first step, (batch, units). Output, for each step, h, c, i,
/// f, g, o: (batch, time, 6 units).
[[nodiscard]] Kernel make_lstm(const KernelSite& site);
/// Inputs: the recurrent weights, c before the first step, the output of lstm and its cotangent. Output: the cotangents
/// of the gates' first input above, and in one more row those of h and c before the first step, (batch, time + 1, 4
/// units). If ints[0] is not 0, the carry's cotangent is cut at multiples of that many steps.
[[nodiscard]] Kernel make_lstm_gradient(const KernelSite& site);

/// The same for gru: (batch, time, 3 units) with gates r, z, n; weights (units, 3 units); c_n (units); h before the
/// first step (batch, units). Output, for each step, h, r, z, n, m with m = h U_n + c_n: (batch, time, 5 units).
[[nodiscard]] Kernel make_gru(const KernelSite& site);
/// Inputs: the recurrent weights, h before the first step, the output of gru and its cotangent. Output: the cotangents
/// of r, z, n before their activation and of m, and in one more row that of h before the first step, (batch, time + 1,
/// 4 units).
[[nodiscard]] Kernel make_gru_gradient(const KernelSite& site);

}  // namespace thalweg
