#pragma once
// A checkpoint that the ranks of a run write together.

#include "engine/objectives.hpp"
#include "store/checkpoint.hpp"

namespace thalweg {

/// To be called by every rank, with its own state. Where the ranks share the slots, and all of them see the folder,
/// each writes its slice of parameters and slots, and rank 0 commits; else rank 0 writes all. Without ranks this
/// process does. Throws IoError on every rank where one of them cannot write; the checkpoints before stay then.
void write_by_ranks(Communicator* ranks, const Objectives& objectives, const std::filesystem::path& folder,
                    const Checkpoint& own, int keep);

}  // namespace thalweg
