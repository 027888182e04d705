#pragma once
// How noisy the gradient of a batch is: what batch size that suggests.

#include "engine/products.hpp"
#include "insight/spectrum.hpp"

namespace thalweg {

/// The gradient noise scale tr(S) / |G|^2: S is the covariance of one row's gradient, G the gradient of all
/// (McCandlish, Kaplan and Amodei 2018, equation 2.9). Below so many rows a batch twice as large takes steps twice as
/// good; far above it a larger batch gains next to nothing.
struct GradientNoise {
  Estimate scale;     ///< in rows; its error is that of a jackknife over the batches
  double signal = 0;  ///< |G|^2, freed of the noise in it; may come out below 0 where noise is all there is
  double noise = 0;   ///< tr(S)
  std::int64_t batch_size = 0, batches = 0;

  /// Of the gradient of a batch: |G|^2 over the variance of the batch's mean.
  [[nodiscard]] double signal_to_noise() const { return signal * static_cast<double>(batch_size) / noise; }
};

/// From the gradients of so many batches of the rows, drawn by the seed without replacement, and of all of them
/// together: two unbiased estimates, and the ratio of the two, never a mean of ratios (appendix A.1 there). Throws
/// UsageError for fewer than two batches of rows.
[[nodiscard]] GradientNoise gradient_noise(Products& products, const State& at, const Dataset& rows,
                                           std::int64_t batch_size, std::int64_t most_batches, std::uint64_t seed);

/// Of the batches that follow one another in a selection of rows, without an error: it keeps one gradient at a time.
/// Throws UsageError for fewer than two batches.
[[nodiscard]] GradientNoise gradient_noise(Products& products, const State& at, const RowSelection& rows,
                                           std::int64_t batch_size);

}  // namespace thalweg
