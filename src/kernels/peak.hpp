#pragma once
// The peak arithmetic speed of this machine, as products reach it.

#include "core/workers.hpp"

namespace thalweg {

/// Floating-point operations per second of these workers in f32 products of large matrices, one product for each
/// worker: the peak with which the speed of a step is compared. Takes about a tenth of a second.
[[nodiscard]] double peak_operations(Workers& workers);

}  // namespace thalweg
