#pragma once
// Pairs of steps of a tile program become richer micro-ops.

#include "tiles/tiles.hpp"

namespace thalweg {

/// Runs simple micro-ops as one richer micro-op where the parts are needed for nothing else. It rounds as its parts.
void merge_steps(TileProgram& program);

}  // namespace thalweg
