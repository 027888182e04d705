#pragma once
// The noise of a batch's gradient, and the batch size that it suggests.

#include "engine/products.hpp"
#include "insight/spectrum.hpp"

namespace thalweg {

/// The gradient noise scale tr(S) / |G|^2, where S is the covariance of one row's gradient and G the gradient over all
/// rows (McCandlish, Kaplan and Amodei 2018, equation 2.9). Below this number of rows, a batch of twice the size makes
/// steps twice as good; far above it, a larger batch gains almost nothing.
struct GradientNoise {
  Estimate scale;  ///< in rows; the error is a jackknife over the batches
  double signal =
      0;  ///< |G|^2 without the contribution of noise; may be negative where there is hardly anything but noise
  double noise = 0;  ///< tr(S)
  std::int64_t batch_size = 0, batches = 0;

  /// The signal-to-noise ratio of a batch's gradient: |G|^2 over the variance of the mean gradient of the batch.
  [[nodiscard]] double signal_to_noise() const { return signal * static_cast<double>(batch_size) / noise; }
};

/// Draws `batches` batches of rows without replacement by the seed. Their gradients and the gradient of all of them
/// together give two unbiased estimates, and their ratio gives the scale; it is never a mean of ratios (appendix A.1 of
/// the paper). Throws UsageError for fewer than two batches of rows.
[[nodiscard]] GradientNoise gradient_noise(Products& products, const State& at, const Dataset& rows,
                                           std::int64_t batch_size, std::int64_t most_batches, std::uint64_t seed);

/// The same for consecutive batches of a selection of rows, without the error: only one gradient is kept at a time.
/// Throws UsageError for fewer than two batches.
[[nodiscard]] GradientNoise gradient_noise(Products& products, const State& at, const RowSelection& rows,
                                           std::int64_t batch_size);

}  // namespace thalweg
