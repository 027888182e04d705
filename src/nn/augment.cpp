// Augmentation of training images, drawn from the Scope as dropout is.

#include "kernels/augment.hpp"
#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "ops/augment.hpp"

namespace thalweg {

Fields fields(AugmentOptions& o) {
  return {{"flip", &o.flip, "left and right are exchanged in half of the images"},
          {"crop", &o.crop, "moved by up to this many places each way, zeros coming in", not_negative},
          {"cutout", &o.cutout, "the size of a square that is made zero; 0 is none", not_negative}};
}

Var augment(Scope s, const Arg& images, const AugmentOptions& options) {
  const Var x = var_of(images);
  if (s.mode() == Mode::evaluate || !options.any()) return x;
  if (x.rank() != 4) {
    fail<UsageError>("[augment] {}: images are wanted. Hint: (batch, height, width, channels).{}", x.shape(),
                     at(images.source()));
  }
  return augmented(images, s.uniform("augment", {x.dim(0), augment_draws}), options);
}

}  // namespace thalweg
