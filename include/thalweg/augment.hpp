#pragma once
// Augmentation: images changed at random in training, so that a model does not memorise them.

#include "thalweg/options.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

struct AugmentOptions {
  bool flip = false;        ///< left and right are exchanged in half of the images
  std::int64_t crop = 0;    ///< moved by up to this many places each way, filled with zeros
  std::int64_t cutout = 0;  ///< a square of this size is made zero (DeVries and Taylor 2017)
  [[nodiscard]] bool any() const { return flip || crop > 0 || cutout > 0; }
};
[[nodiscard]] Fields fields(AugmentOptions& options);

/// Images (batch, height, width, channels), each changed in training by random draws of its own: a function of seed,
/// step, sample and path, so neither threads nor a resume change them. In evaluation the images are returned unchanged.
Var augment(Scope s, const Arg& images, const AugmentOptions& options);

}  // namespace thalweg
