#pragma once
// Merges pairs of steps of a tile program to larger micro-ops.

#include "tiles/tiles.hpp"

namespace thalweg {

/// Replaces simple micro-ops by one larger micro-op where nothing else needs the parts. It rounds as its parts do.
void merge_steps(TileProgram& program);

}  // namespace thalweg
