#pragma once
// Augmentation: images changed at random in training, so that a model does not memorise them.

#include "thalweg/options.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

struct AugmentOptions {
  bool flip = false;        ///< half of the images are mirrored left to right
  std::int64_t crop = 0;    ///< images are moved by up to this many pixels in each direction, and filled with zeros
  std::int64_t cutout = 0;  ///< a square of this size is made zero (DeVries and Taylor 2017)
  [[nodiscard]] bool any() const { return flip || crop > 0 || cutout > 0; }
};
[[nodiscard]] Fields fields(AugmentOptions& options);

/// In training, changes each of the images (batch, height, width, channels) at random. The draws are a function of
/// seed, step, sample and path, so threads and a resume do not change them. In evaluation the images are returned
/// unchanged.
Var augment(Scope s, const Arg& images, const AugmentOptions& options);

}  // namespace thalweg
