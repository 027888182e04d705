#pragma once
// Precision: how the values of a training step lie in memory.

namespace thalweg {

/// Arithmetic is f32 in both.
enum class Precision {
  single,  ///< all values lie in memory as f32
  /// What products (matrix products, convolution, attention) read and write is stored in bf16, the upper half of an
  /// f32: it is rounded to 8 significant bits, ties to even. Reductions, losses, statistics and gradients of parameters
  /// stay f32, and so do the parameters and the slots of the optimizer.
  bf16,
};

}  // namespace thalweg
