#pragma once
// The common code of systems of images: the pixels of a batch, functions over many rows in portions, and a baseline.

#include "thalweg/apply.hpp"
#include "thalweg/system.hpp"

namespace thalweg::images {

/// Throws UsageError if the rows are not images with 1 or 3 channels, or if `divisor` does not divide their size.
void expect(const SystemData& data, std::string_view system, std::int64_t divisor);

/// A column of pixels as f32 in [0, 1]: bytes are divided by 255, others are taken as they are.
[[nodiscard]] Var unit_pixels(const Var& pixels);
[[nodiscard]] Tensor unit_pixels(const Tensor& pixels);

/// Converts pixels from [-1, 1], the range of diffusion models, to [0, 1].
[[nodiscard]] Tensor from_signed(const Tensor& pixels);

/// Applies a function of one input, "x", with one output to many rows, a few hundred at a time.
[[nodiscard]] Tensor in_portions(const Apply& function, const State& state, const Tensor& rows);
/// The first `count` of the rows, or all.
[[nodiscard]] Tensor first_of(const Tensor& rows, std::int64_t count);
/// All pictures of the first part, then all of the second, and so on: a medium with `columns` columns shows each part
/// as a row.
[[nodiscard]] Tensor stacked(const std::vector<Tensor>& pictures);
/// Pictures (count, height, width, channels) as files, and all of them as one.
[[nodiscard]] Generated generated(const Tensor& pictures);
/// mean((a - b)^2) over all elements.
[[nodiscard]] double mean_square(const Tensor& a, const Tensor& b);

/// The reconstruction of `test` from the mean of `train` and its `width` principal components. No linear map of this
/// width has a smaller error on `train`. Rows are f32 (rows, ...).
[[nodiscard]] Tensor principal_reconstruction(const Tensor& train, const Tensor& test, std::int64_t width);

/// Defaults of a system that is trained with Adam and a rate that falls to 0 along a half cosine.
[[nodiscard]] inline OptionMap adam_by_cosine(double lr) {
  return {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", lr}}}, {"schedule", OptionMap{{"kind", "cosine"}}}};
}

}  // namespace thalweg::images
