#pragma once
// Rows picked from a table, as bytes.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace thalweg {

/// The same for several rows of any length but that of a number.
void copy_longer_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows,
                      std::byte* into);

/// Copies the rows named, in that order, from a table of rows of `row_bytes` to `into`. They must exist.
inline void copy_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows,
                      std::byte* into) {
  if (rows.size() == 1) {
    std::memcpy(into, table + static_cast<std::size_t>(rows[0]) * row_bytes, row_bytes);
    return;
  }
  if (row_bytes != sizeof(float)) return copy_longer_rows(table, row_bytes, rows, into);
  for (const std::int64_t row : rows) {  // of one number, as most targets are: a size that the compiler knows
    std::memcpy(into, table + static_cast<std::size_t>(row) * sizeof(float), sizeof(float));
    into += sizeof(float);
  }
}

}  // namespace thalweg
