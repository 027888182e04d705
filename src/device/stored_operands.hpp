#pragma once
// Kernels that compute in f32 on operands that are stored in bf16.

#include "core/kernel.hpp"

namespace thalweg {

/// The kernel of an op at a site whose operands may be stored in another type than the kernel uses: they are converted
/// in its scratch, before and after it runs. If no operand needs this, the op's kernel unchanged.
[[nodiscard]] Kernel make_with_stored(const OpKernel& op, const KernelSite& site);

}  // namespace thalweg
