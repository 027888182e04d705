#pragma once
// Every rank of a run holds the same parameters and slots, bit by bit. This looks whether it is still so.

#include "distributed/communicator.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Steps between two looks; there is one before each checkpoint too.
inline constexpr std::int64_t compared_every = 100;

/// Compares checksums of all ranks' parameters, and of their slots where each has all. Throws DistributedError on every
/// rank, naming one whose state is another than rank 0's.
void compare_replicas(Communicator& ranks, const State& state, bool with_slots);

}  // namespace thalweg
