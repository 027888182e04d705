#pragma once
// Kernels that work along the last axis, or on whole rows.

#include "core/error.hpp"
#include "core/kernel.hpp"

namespace thalweg {

/// An index that a table has not. It stands at one of `places`, which a batch's caller can tell the row of the data by.
class IndexError : public UsageError {
 public:
  // Inline: the library of a kind of GPU throws it too, and links nothing of this one.
  IndexError(std::string_view op, std::string_view what, std::int64_t at, std::int64_t all, std::string_view rest)
      : UsageError(fmt::format("[{}] {} at place {}{}", op, what, at, rest)),
        place(at),
        places(all),
        before_(fmt::format("[{}] {}", op, what)),
        after_(rest) {}
  std::int64_t place, places;
  /// The same error of a row "of the data" or "of the batch".
  [[nodiscard]] UsageError in_row(std::int64_t row, std::string_view of) const;

 private:
  std::string before_, after_;
};

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
