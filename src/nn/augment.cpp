// Augmentation of training images. Its random numbers come from the Scope, as those of dropout do.

#include "kernels/augment.hpp"
#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "ops/augment.hpp"

namespace thalweg {

Fields fields(AugmentOptions& o) {
  return {{"flip", &o.flip, "mirror half of the images, left to right"},
          {"crop", &o.crop, "shift each image by up to this many pixels in each direction, filled up with zeros",
           not_negative},
          {"cutout", &o.cutout, "side of a square that is set to zero; 0 is none", not_negative}};
}

Var augment(Scope s, const Arg& images, const AugmentOptions& options) {
  const Var x = var_of(images);
  AugmentOptions checked = options;
  check_fields(fields(checked), "augment");
  if (s.mode() == Mode::evaluate || !options.any()) return x;
  if (x.rank() != 4) {
    fail<UsageError>("[augment] an input of shape {}. Wanted: images, (batch, height, width, channels).{}", x.shape(),
                     at(images.source()));
  }
  return augmented(images, s.uniform("augment", {x.dim(0), augment_draws}), options);
}

}  // namespace thalweg
