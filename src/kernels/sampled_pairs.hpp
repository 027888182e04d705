#pragma once
// What a model of sampled pairs computes besides products: the derivatives of its loss, and rows added to rows.

#include <cstdint>

namespace thalweg {

/// z[i] becomes sigmoid(z[i]); returns sum log(1 + e^z[i]), of which that is the derivative.
[[nodiscard]] float softplus_sum(float* z, std::int64_t count);

/// y[i] += x[i].
void add_to_row(float* y, const float* x, std::int64_t count);

}  // namespace thalweg
