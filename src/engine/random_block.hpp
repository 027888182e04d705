#pragma once
// The inputs of a program's random numbers: seed, step and the place of each sample, in a block of memory.

#include <cstring>
#include <numeric>
#include <vector>

#include "core/random.hpp"
#include "nn/trace.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// The inputs of the random draws of a run.
struct Draws {
  std::uint64_t seed = 0;
  std::int64_t step = evaluation;
  std::int64_t begin = 0;  ///< the place of the first sample in the whole batch or set
  /// The step number of evaluation and forward passes: no step of training has it, so they draw other numbers.
  static constexpr std::int64_t evaluation = std::int64_t{1} << 53;
};

// The block: seed and step in f64, then the place of each sample in i32.

[[nodiscard]] inline std::size_t random_block_bytes(std::int64_t samples) {
  return 2 * sizeof(double) + static_cast<std::size_t>(samples) * sizeof(std::int32_t);
}

inline void bind_random(const RandomInputs& random, int base, std::vector<Bound>& inputs) {
  inputs.push_back({random.seed, {base, 0}});
  inputs.push_back({random.step, {base, sizeof(double)}});
  inputs.push_back({random.places, {base, 2 * sizeof(double)}});
}

inline void fill_random_block(std::byte* block, const Draws& draws, std::int64_t samples) {
  const double numbers[] = {seed_number(draws.seed), static_cast<double>(draws.step)};
  std::memcpy(block, numbers, sizeof(numbers));
  auto* places = reinterpret_cast<std::int32_t*>(block + sizeof(numbers));
  std::iota(places, places + samples, static_cast<std::int32_t>(draws.begin));
}

}  // namespace thalweg
