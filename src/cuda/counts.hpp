#pragma once
// Counters of a driver's work, for tests and diagnosis.

#include <cstdint>

#include "device/gpu.hpp"

namespace thalweg::cuda {

struct Counts {
  std::int64_t launches = 0;    ///< of texts, by themselves or into a graph
  int compiled = 0, found = 0;  ///< modules that were compiled, and those found in the cache
  int graphs = 0;               ///< sequences of calls that became one graph
  int uncaptured = 0;           ///< sequences that did not become a graph, and are run call by call
};

inline constexpr const char* counts_name = "thalweg_cuda_counts";
using GetCounts = void (*)(const GpuDriver& driver, Counts& into);

}  // namespace thalweg::cuda
