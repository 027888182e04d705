#pragma once
// Softmax of one row of scores, in place, and its derivative: the inner loops of attention.

#include <cstdint>

namespace thalweg {

/// Rows must have room for a multiple of this many elements.
inline constexpr std::int64_t softmax_multiple = 16;

/// x[0 .. seen) = softmax(scale x), and zeros from there to `room`, a multiple of softmax_multiple. scale > 0.
void softmax_row(float* x, std::int64_t seen, std::int64_t room, float scale);
void softmax_row(double* x, std::int64_t seen, std::int64_t room, double scale);

/// g[0 .. seen) = scale p (g - sum p g), and zeros from there to `room`.
void softmax_row_gradient(const float* p, float* g, std::int64_t seen, std::int64_t room, float scale);
void softmax_row_gradient(const double* p, double* g, std::int64_t seen, std::int64_t room, double scale);

}  // namespace thalweg
