#pragma once
// Layers whose gradient is a matrix between two factors of curvature.

#include <cstdint>
#include <string>

namespace thalweg {

/// x W + b or a convolution, W and b parameters that are used nowhere else. Its gradient as one matrix has a row for
/// each input and, where there is a bias, a last one for it; a column for each output.
struct FactoredLayer {
  std::string weight, bias;              ///< names; that of the bias is empty where it has none that is stepped
  std::int64_t inputs = 0, outputs = 0;  ///< rows and columns
  friend bool operator==(const FactoredLayer&, const FactoredLayer&) = default;
};

/// Which layers an optimizer keeps factors of, and when it asks for them: running means, in the slots "input_factor"
/// and "output_factor" of a transform that sees each layer as its matrix and every other parameter as a vector.
struct FactorAsks {
  std::string transform;
  std::int64_t every = 1;        ///< steps between estimates
  double decay = 0;              ///< of the running mean, whose k-th estimate counts 1/k at least
  std::int64_t max_size = 1024;  ///< most inputs, the bias not counted, and most outputs
};

}  // namespace thalweg
