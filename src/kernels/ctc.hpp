#pragma once
// Connectionist temporal classification: the loss of each sample and its gradient, by one forward and one backward pass
// over the frames.

#include "core/kernel.hpp"

namespace thalweg {

/// Inputs: logits (batch, time, classes); i32 labels (batch, most), frames (batch) and lengths (batch). Output, for
/// each sample, the loss and its gradient: (batch, 1 + time classes). ints: the class of the blank, and whether samples
/// with too few frames for their labels count as 0. Throws IndexError for a label, a length or a number of frames out
/// of range.
[[nodiscard]] Kernel make_ctc(const KernelSite& site);

}  // namespace thalweg
