#pragma once
// What the readers of images share: labelled images, or noisy ones with the images themselves as the target.

#include "run/training_rows.hpp"

namespace thalweg {

struct ImageOptions {
  OptionMap augment = {};  ///< AugmentOptions
  double noise = 0;

  [[nodiscard]] Fields fields();
  /// Writes every key of `augment` out.
  void complete();
};

/// Whether a model with this preprocessing reads images.
[[nodiscard]] bool suits_images(const data::Preprocessing& preprocessing);

/// The images as they are, or with noise to remove.
[[nodiscard]] Dataset with_noise(Dataset images, const ImageOptions& options);

/// Images as `with_noise` gives them; `classes` are the names of the labels, as far as they are known.
[[nodiscard]] std::unique_ptr<const TrainingData> image_rows(Dataset images, std::vector<std::string> classes,
                                                             const ImageOptions& options, double held_out);

}  // namespace thalweg
