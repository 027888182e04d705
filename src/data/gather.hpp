#pragma once
// Rows picked from a column, into memory that is there already: the batcher's inner loop.

#include "thalweg/tensor.hpp"

namespace thalweg::data {

/// Copies the rows named, in that order, to `into`, which must be just as large. Allocates nothing.
/// Throws UsageError for a row that does not exist, or for a destination of another size.
void gather(const Tensor& column, std::span<const std::int64_t> rows, std::span<std::byte> into);

}  // namespace thalweg::data
