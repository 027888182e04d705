#pragma once
// Writes checkpoints that the ranks of a run share.

#include "engine/objectives.hpp"
#include "store/checkpoint.hpp"

namespace thalweg {

/// Must be called by every rank, with its own state. If the ranks share the slots, and all of them see the folder, each
/// writes its slice of parameters and slots, and rank 0 commits; otherwise rank 0 writes everything. Without ranks,
/// this process does. Throws IoError on every rank if one of them cannot write; earlier checkpoints then remain.
void write_by_ranks(Communicator* ranks, const Objectives& objectives, const std::filesystem::path& folder,
                    const Checkpoint& own, int keep);

}  // namespace thalweg
