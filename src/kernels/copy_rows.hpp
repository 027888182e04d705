#pragma once
// Copies selected rows of a table, as bytes.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace thalweg {

/// The same for several rows of any length other than that of one number.
void copy_longer_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows,
                      std::byte* into);

/// Copies the given rows, in that order, from a table of rows of `row_bytes` to `into`. The rows must exist.
inline void copy_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows,
                      std::byte* into) {
  if (rows.size() == 1) {
    std::memcpy(into, table + static_cast<std::size_t>(rows[0]) * row_bytes, row_bytes);
    return;
  }
  if (row_bytes != sizeof(float)) return copy_longer_rows(table, row_bytes, rows, into);
  for (const std::int64_t row : rows) {  // rows of one number, as most targets are: the compiler knows the size
    std::memcpy(into, table + static_cast<std::size_t>(row) * sizeof(float), sizeof(float));
    into += sizeof(float);
  }
}

/// Copies a row of whole floats in whole vectors.
void copy_row_in_vectors(const std::byte* row, std::size_t row_bytes, std::byte* into);

/// Copies one row to `into`, which begins with a cache line and has room for whole lines; what lies behind the row in
/// its last line is lost. A kernel that reads the row in vectors right away gets each from one store: several short
/// stores, as memcpy makes them, would have to reach the cache first.
inline void copy_row(const std::byte* row, std::size_t row_bytes, std::byte* into) {
  constexpr std::size_t longest = 4096;
  if (row_bytes == sizeof(float)) {
    std::memcpy(into, row, sizeof(float));
  } else if (row_bytes % sizeof(float) != 0 || row_bytes > longest) {
    std::memcpy(into, row, row_bytes);
  } else {
    copy_row_in_vectors(row, row_bytes, into);
  }
}

}  // namespace thalweg
