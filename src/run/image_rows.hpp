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

/// Images with their labels, or with noise to remove, and what each is known by.
struct Images {
  Dataset data;
  std::function<std::uint64_t(std::int64_t row)> content;
  std::vector<std::string> warnings = {};  ///< of what was left out

  /// With noise, where the options ask for it; each known by its pixels and label.
  Images(Dataset read, const ImageOptions& options);
  /// Each known by what `names` has of it, where they are read while they are used.
  Images(Dataset read, const ImageOptions& options, std::vector<std::uint64_t> names);
  /// The rows that are wanted; all where `only` is null.
  [[nodiscard]] Dataset rows(RowSet* only) const;
};

/// `classes` are the names of the labels, as far as they are known.
[[nodiscard]] std::unique_ptr<TrainingData> image_rows(Images images, std::vector<std::string> classes,
                                                       const ImageOptions& options, double held_out);

}  // namespace thalweg
