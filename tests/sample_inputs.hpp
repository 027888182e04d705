#pragma once
// Makes the inputs of a sample call that an op's row describes.

#include <vector>

#include "ops/table.hpp"

namespace thalweg {

inline std::vector<Tensor> inputs_of(const Sample& sample, DType dtype, std::uint64_t seed = 0) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < sample.shapes.size(); ++i) {
    inputs.push_back(random_uniform(sample.shapes[i], sample.low, sample.high, seed + i, f64).to(dtype));
    for (const auto& [input, bound] : sample.indices) {
      if (static_cast<std::size_t>(input) != i) continue;
      inputs.back() = random_uniform(sample.shapes[i], 0, static_cast<double>(bound), seed + i, f64).to(i32);
    }
  }
  return inputs;
}

}  // namespace thalweg
