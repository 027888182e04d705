#pragma once
// Nearest neighbours among rows of numbers.

#include <cstdint>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg::data {

/// For each row of `asked`, (rows, ...), the place of the row of `known` that is nearest to it by the sum of squared
/// differences; of equally near ones the first. Computed in f64: exact for whole numbers such as bytes.
[[nodiscard]] std::vector<std::int64_t> nearest_rows(const Tensor& asked, const Tensor& known);

}  // namespace thalweg::data
