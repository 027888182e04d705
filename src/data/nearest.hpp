#pragma once
// Nearest neighbours among rows of numbers.

#include <cstdint>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg::data {

/// For each row of `asked`, (rows, ...), the index of the nearest row of `known` by the sum of squared differences; the
/// first one of equally near rows. Computed in f64: exact for whole numbers such as bytes.
[[nodiscard]] std::vector<std::int64_t> nearest_rows(const Tensor& asked, const Tensor& known);

}  // namespace thalweg::data
