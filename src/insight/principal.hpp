#pragma once
// Principal components: the directions along which rows differ most.

#include "thalweg/tensor.hpp"

namespace thalweg {

struct Components {
  Tensor places;              ///< f64 (rows, count): the coordinate of each row, minus the mean, on each component
  std::vector<double> parts;  ///< the fraction of the rows' variance along each component
};
/// The first `count` components of rows, f32 or f64 (rows, width). The sign of each makes its largest weight positive.
/// Throws UsageError for another shape, and for more components than columns.
[[nodiscard]] Components principal_components(const Tensor& rows, std::int64_t count);

}  // namespace thalweg
