#pragma once
// The ops that recurrent layers are made of; see kernels/recurrent.hpp for what they give.

#include "thalweg/var.hpp"

namespace thalweg {

/// h, c, i, f, g, o of each step, (batch, time, 6 units).
[[nodiscard]] Var lstm_steps(Var x, Var weights, Var h, Var c, std::int64_t truncate);
/// h, r, z, n, m of each step, (batch, time, 5 units).
[[nodiscard]] Var gru_steps(Var x, Var weights, Var candidate_bias, Var h, std::int64_t truncate);

}  // namespace thalweg
