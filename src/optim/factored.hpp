#pragma once
// Layers whose gradient is a matrix with a factor of curvature on either side, for K-FAC.

#include <cstdint>
#include <string>

namespace thalweg {

/// x W + b or a convolution, with parameters W and b that are used nowhere else. Its gradient as one matrix has a row
/// for each input, a last row for the bias if there is one, and a column for each output.
struct FactoredLayer {
  std::string weight, bias;              ///< names; `bias` is empty where the layer has no bias that is trained
  std::int64_t inputs = 0, outputs = 0;  ///< rows and columns
  friend bool operator==(const FactoredLayer&, const FactoredLayer&) = default;
};

/// For which layers an optimizer keeps factors, and when it asks for them. The factors are running means in the slots
/// "input_factor" and "output_factor" of a transform that sees each layer as its matrix and every other parameter as a
/// vector.
struct FactorAsks {
  std::string transform;
  std::int64_t every = 1;        ///< steps between estimates
  double decay = 0;              ///< of the running mean; the k-th estimate has a weight of at least 1/k
  std::int64_t max_size = 1024;  ///< most inputs (without the bias) and most outputs
};

}  // namespace thalweg
