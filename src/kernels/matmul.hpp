#pragma once
// Products of matrices and of batches of them.

#include "core/kernel.hpp"

namespace thalweg {

/// (batch, m, k) x (batch, k, n) -> (batch, m, n), or without the batch. ints: {transpose a, transpose b}.
[[nodiscard]] Kernel make_matmul(const KernelSite& site);

}  // namespace thalweg
