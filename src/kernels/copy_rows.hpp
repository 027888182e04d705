#pragma once
// Rows picked from a table, as bytes.

#include <cstddef>
#include <cstdint>
#include <span>

namespace thalweg {

/// Copies the rows named, in that order, from a table of rows of `row_bytes` to `into`. They must exist.
void copy_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows, std::byte* into);

}  // namespace thalweg
