#pragma once
// What training on sampled pairs needs besides products: the derivative of its loss, and the addition of rows.

#include <cstdint>

namespace thalweg {

/// Replaces z[i] by sigmoid(z[i]) and returns sum log(1 + e^z[i]), whose derivative that is.
[[nodiscard]] float softplus_sum(float* z, std::int64_t count);

/// y[i] += x[i].
void add_to_row(float* y, const float* x, std::int64_t count);

}  // namespace thalweg
