#pragma once
// Principal components: the directions in which rows differ most.

#include "thalweg/tensor.hpp"

namespace thalweg {

struct Components {
  Tensor places;              ///< f64 (rows, count): of each row on each component, less the mean
  std::vector<double> parts;  ///< of the rows' variance, that each component has
};
/// The first `count` components of rows f32 or f64 (rows, width), each turned so that its largest weight is positive.
/// Throws UsageError for another shape, and for more components than columns.
[[nodiscard]] Components principal_components(const Tensor& rows, std::int64_t count);

}  // namespace thalweg
