#pragma once
// The arithmetic speed of this machine, as products reach it.

#include "core/workers.hpp"

namespace thalweg {

/// Floating-point operations a second that these workers reach in f32 products of large matrices, one a worker: the
/// bound that a step is held against. Takes about a tenth of a second.
[[nodiscard]] double peak_operations(Workers& workers);

}  // namespace thalweg
