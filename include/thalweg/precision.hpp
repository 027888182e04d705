#pragma once
// Precision: how the values of a training step are stored.

namespace thalweg {

/// Arithmetic is f32 in both.
enum class Precision {
  single,  ///< all values are stored as f32
  /// Inputs and results of products (matrix products, convolution, attention) are stored in bf16, the upper half of an
  /// f32: they are rounded to 8 significant bits, ties to even. Reductions, losses, statistics and gradients of
  /// parameters stay f32, and so do the parameters and the slots of the optimizer.
  bf16,
};

}  // namespace thalweg
