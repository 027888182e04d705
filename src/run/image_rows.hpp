#pragma once
// Common code of the readers of images: labelled images, or noisy images with the clean images as targets.

#include "run/training_rows.hpp"

namespace thalweg {

struct ImageOptions {
  OptionMap augment = {};  ///< AugmentOptions
  double noise = 0;

  [[nodiscard]] Fields fields();
  /// Completes `augment` with the defaults of all keys.
  void complete();
};

/// Whether a model with this preprocessing reads images.
[[nodiscard]] bool suits_images(const data::Preprocessing& preprocessing);

/// Images with their labels, or with noise to remove, and a hash that identifies each.
struct Images {
  Dataset data;
  std::function<std::uint64_t(std::int64_t row)> content;
  std::vector<std::string> warnings = {};  ///< about files that were left out

  /// Images with noise, if the options ask for it. Each is identified by its pixels and its label.
  Images(Dataset read, const ImageOptions& options);
  /// For images that are read when they are used. Each is identified by its number in `names`.
  Images(Dataset read, const ImageOptions& options, std::vector<std::uint64_t> names);
  /// The rows in `only`, or all if it is null.
  [[nodiscard]] Dataset rows(RowSet* only) const;
};

/// `classes` are the names of the labels, as far as they are known.
[[nodiscard]] std::unique_ptr<TrainingData> image_rows(Images images, std::vector<std::string> classes,
                                                       const ImageOptions& options, double held_out);

}  // namespace thalweg
