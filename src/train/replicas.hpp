#pragma once
// Checks that all ranks of a run hold the same parameters and slots, bit by bit.

#include "distributed/communicator.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Steps between two checks; there is also one before each checkpoint.
inline constexpr std::int64_t compared_every = 100;

/// Compares checksums of all ranks' parameters, and of their slots where each rank has all slots. Throws
/// DistributedError on every rank, naming a rank whose state differs from rank 0's.
void compare_replicas(Communicator& ranks, const State& state, bool with_slots);

}  // namespace thalweg
