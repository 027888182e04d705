#pragma once
// What systems of images share: the pixels of a batch, rows computed in portions, and a baseline.

#include "thalweg/apply.hpp"
#include "thalweg/system.hpp"

namespace thalweg::images {

/// Throws UsageError where the rows are no images of 1 or 3 channels, or of a size that `divisor` does not divide.
void expect(const SystemData& data, std::string_view system, std::int64_t divisor);

/// A column of pixels as f32 in [0, 1]: bytes are divided by 255, others are taken as they are.
[[nodiscard]] Var unit_pixels(const Var& pixels);
[[nodiscard]] Tensor unit_pixels(const Tensor& pixels);

/// Pixels in [-1, 1], as models of noise have them, in [0, 1].
[[nodiscard]] Tensor from_signed(const Tensor& pixels);

/// A function of one input and one output, "x", over many rows, a few hundred at a time.
[[nodiscard]] Tensor in_portions(const Apply& function, const State& state, const Tensor& rows);
/// The first `count` of the rows, or all.
[[nodiscard]] Tensor first_of(const Tensor& rows, std::int64_t count);
/// Each of the first, then each of the second, ... a row of pictures each: what a medium shows in `columns` columns.
[[nodiscard]] Tensor stacked(const std::vector<Tensor>& pictures);
/// Pictures (count, height, width, channels) as files, and all of them as one.
[[nodiscard]] Generated generated(const Tensor& pictures);
/// mean((a - b)^2) over all elements.
[[nodiscard]] double mean_square(const Tensor& a, const Tensor& b);

/// `test` as the mean of `train` and its `width` principal components give it back: no linear map of that width comes
/// nearer on `train`. Rows f32 (rows, ...).
[[nodiscard]] Tensor principal_reconstruction(const Tensor& train, const Tensor& test, std::int64_t width);

/// Defaults of a system that is trained by Adam at a rate that falls to 0 along a half cosine.
[[nodiscard]] inline OptionMap adam_by_cosine(double lr) {
  return {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", lr}}}, {"schedule", OptionMap{{"kind", "cosine"}}}};
}

}  // namespace thalweg::images
