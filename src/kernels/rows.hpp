#pragma once
// Kernels that work along the last axis, or on whole rows.

#include "core/error.hpp"
#include "core/kernel.hpp"

namespace thalweg {

/// An index out of range of a table. The error knows its position, from which the caller can find the row of the data.
class IndexError : public UsageError {
 public:
  // Inline, because the libraries for GPUs, which do not link this one, throw it too.
  IndexError(std::string_view op, std::string_view what, std::int64_t at, std::int64_t all, std::string_view rest)
      : UsageError(fmt::format("[{}] {} at place {}{}", op, what, at, rest)),
        place(at),
        places(all),
        before_(fmt::format("[{}] {}", op, what)),
        after_(rest) {}
  std::int64_t place, places;
  /// The same error, naming a row "of the data" or "of the batch".
  [[nodiscard]] UsageError in_row(std::int64_t row, std::string_view of) const;

 private:
  std::string before_, after_;
};

/// (..., n) -> (..., 2): the largest element m, and log sum e^(x - m).
[[nodiscard]] Kernel make_logsumexp(const KernelSite& site);
/// (..., n) -> (..., n): e^x / sum e^x.
[[nodiscard]] Kernel make_softmax(const KernelSite& site);
/// (..., n) -> i32 (...): the place of the first largest element.
[[nodiscard]] Kernel make_argmax(const KernelSite& site);
/// (..., n) -> (..., n): cumulative sums, from the end if ints[0] is 1.
[[nodiscard]] Kernel make_cumsum(const KernelSite& site);
/// table (rows, ...), i32 (...) -> (indices..., row...). Throws UsageError for an index out of range.
[[nodiscard]] Kernel make_gather(const KernelSite& site);
/// updates (indices..., row...), i32 indices -> (rows, ...): each update is added to its row, in order.
[[nodiscard]] Kernel make_scatter_add(const KernelSite& site);
/// (a, b, ...) along axis ints[0].
[[nodiscard]] Kernel make_concat(const KernelSite& site);
/// x (..., n), i32 labels (...) -> (...): x[..., label]. Throws UsageError for a label out of range.
[[nodiscard]] Kernel make_pick(const KernelSite& site);
/// Rounds towards zero; values out of range become the nearest i32, and NaN becomes 0.
[[nodiscard]] Kernel make_to_i32(const KernelSite& site);
/// Inserts x into zeros; ints: {before, after, step} for each axis.
[[nodiscard]] Kernel make_pad(const KernelSite& site);

}  // namespace thalweg
