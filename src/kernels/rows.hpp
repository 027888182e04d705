#pragma once
// Kernels that work along the last axis, or on whole rows.

#include "core/kernel.hpp"

namespace thalweg {

/// (..., n) -> (..., 2): the largest, m, and log sum e^(x - m).
[[nodiscard]] Kernel make_logsumexp(const KernelSite& site);
/// (..., n) -> (..., n): e^x / sum e^x.
[[nodiscard]] Kernel make_softmax(const KernelSite& site);
/// (..., n) -> i32 (...): the place of the first largest element.
[[nodiscard]] Kernel make_argmax(const KernelSite& site);
/// (..., n) -> (..., n): running sums, from the end where ints[0] is 1.
[[nodiscard]] Kernel make_cumsum(const KernelSite& site);
/// table (rows, ...), i32 (...) -> (indices..., row...). Throws UsageError for an index that is no row.
[[nodiscard]] Kernel make_gather(const KernelSite& site);
/// updates (indices..., row...), i32 indices -> (rows, ...): added in the order of the indices.
[[nodiscard]] Kernel make_scatter_add(const KernelSite& site);
/// (a, b, ...) along axis ints[0].
[[nodiscard]] Kernel make_concat(const KernelSite& site);
/// x (..., n), i32 labels (...) -> (...): x[..., label]. Throws UsageError for a label that is no place.
[[nodiscard]] Kernel make_pick(const KernelSite& site);
/// Rounded towards zero; what does not fit is the nearest that does, NaN is 0.
[[nodiscard]] Kernel make_to_i32(const KernelSite& site);
/// x among zeros; ints: {before, after, step} for each axis.
[[nodiscard]] Kernel make_pad(const KernelSite& site);

}  // namespace thalweg
