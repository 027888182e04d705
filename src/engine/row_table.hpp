#pragma once
// The table of gradients that SAGA keeps.

#include <string>

#include "thalweg/optim.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// Its bytes; 0 of an optimizer that keeps none. Throws UsageError where they are more than it allows.
[[nodiscard]] std::int64_t row_table_bytes(const Optimizer& optimizer, std::int64_t rows, std::int64_t parameters,
                                           DType dtype);

/// "saga: a gradient of each of 569 rows, 31 numbers, 68.9 KiB", of so many trained parameters.
[[nodiscard]] std::string row_table_text(const Optimizer& optimizer, std::int64_t rows, std::int64_t parameters,
                                         DType dtype);

}  // namespace thalweg
