#pragma once
// How much memory data may take.

#include <cstdint>

namespace thalweg::data {

/// Half of the memory that this process may use, in bytes: the other half is for the model and everybody else.
[[nodiscard]] std::int64_t memory_budget();

}  // namespace thalweg::data
