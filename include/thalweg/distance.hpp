#pragma once
// Distances between sets of samples.

#include "thalweg/tensor.hpp"

namespace thalweg::metric {

/// The Frechet distance between normal distributions of the means and covariances (dividing by n - 1) of two sets of
/// features (rows, width), f32 or f64: |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), in f64. 0 means equal means
/// and covariances; with features of Inception it is the FID (Heusel et al. 2017). It depends on the number of rows:
/// compare distances of equal numbers. NaN where a feature is NaN. Throws UsageError for other shapes, for widths that
/// differ, and for fewer than two rows.
[[nodiscard]] double frechet_distance(const Tensor& a, const Tensor& b);

}  // namespace thalweg::metric
