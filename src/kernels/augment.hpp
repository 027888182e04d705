#pragma once
// Random flips, shifts and cutouts of images, different for each image, and the transpose of that.

#include "core/kernel.hpp"

namespace thalweg {

enum AugmentInts : std::size_t { may_flip, most_shift, cut_size };
/// How many random numbers in [0, 1) an image needs.
inline constexpr std::int64_t augment_draws = 5;

/// Where the elements of one augmented image come from.
struct Augmented {
  std::int64_t height, width;
  bool flip;
  std::int64_t down, right;              ///< element (i, j) comes from (i + down, j + right)
  std::int64_t cut_top, cut_left, size;  ///< a square of zeros

  Augmented(std::int64_t height, std::int64_t width, std::span<const std::int64_t> ints, const double* draws);
  /// The source of element (i, j) as row * width + column; -1 for a zero.
  [[nodiscard]] std::int64_t source(std::int64_t i, std::int64_t j) const;
};

/// x (batch, height, width, channels), draws (batch, 5) -> x flipped, shifted and cut.
[[nodiscard]] Kernel make_augment(const KernelSite& site);
/// g, draws -> the cotangent of x: each element is added to its source.
[[nodiscard]] Kernel make_augment_transposed(const KernelSite& site);

}  // namespace thalweg
