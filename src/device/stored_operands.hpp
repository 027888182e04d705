#pragma once
// Kernels that compute in f32 whose operands lie in memory in bf16.

#include "core/kernel.hpp"

namespace thalweg {

/// The kernel of an op at a site whose operands may be stored in another type than they are computed in: they are
/// converted in its scratch, before and after it runs. Where all of them are plain, the op's kernel as it is.
[[nodiscard]] Kernel make_with_stored(const OpKernel& op, const KernelSite& site);

}  // namespace thalweg
