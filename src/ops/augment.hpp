#pragma once
// Augmentation of images as an op.

#include "thalweg/augment.hpp"

namespace thalweg {

/// `draws` (batch, augment_draws) are numbers in [0, 1).
[[nodiscard]] Var augmented(const Arg& images, const Arg& draws, const AugmentOptions& options);

}  // namespace thalweg
