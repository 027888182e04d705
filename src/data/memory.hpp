#pragma once
// The memory limit for data.

#include <cstdint>

namespace thalweg::data {

/// Half of the memory that this process may use, in bytes: the other half is left for the model and for other
/// processes.
[[nodiscard]] std::int64_t memory_budget();

}  // namespace thalweg::data
