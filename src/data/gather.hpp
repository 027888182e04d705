#pragma once
// Copies chosen rows of a column into existing memory: the inner loop of batching.

#include "thalweg/tensor.hpp"

namespace thalweg::data {

/// The rows of a column as bytes, one after another.
struct RowSource {
  const std::byte* first = nullptr;
  std::int64_t count = 0;
  std::size_t row_bytes = 0;
};
[[nodiscard]] RowSource row_source(const Tensor& column);

/// Whether a row is out of range; one comparison suffices, because a negative number is large as an unsigned one.
[[nodiscard]] constexpr bool is_missing(std::int64_t row, std::int64_t count) {
  return static_cast<std::uint64_t>(row) >= static_cast<std::uint64_t>(count);
}
[[noreturn]] void throw_missing(std::span<const std::int64_t> rows, std::int64_t count);

/// Throws UsageError for a row out of range.
inline void check_rows(std::span<const std::int64_t> rows, std::int64_t count) {
  bool any = false;
  for (const std::int64_t row : rows) any |= is_missing(row, count);
  if (any) throw_missing(rows, count);
}

/// Copies these rows, in that order, to `into`, which must have exactly their size. Allocates nothing. Throws
/// UsageError for a row that does not exist, or for a destination of another size.
void gather(const RowSource& source, std::span<const std::int64_t> rows, std::span<std::byte> into);

}  // namespace thalweg::data
