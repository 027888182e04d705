#pragma once
// The common code of autoencoders of images: dense layers to a code and back, the error of reconstructions, and
// pictures of them.

#include "system/images.hpp"

namespace thalweg::images {

/// Dense layers between an image and its code.
struct CoderOptions {
  std::vector<std::int64_t> hidden = {512, 256};
  std::string activation = "relu";
  [[nodiscard]] Fields fields();
};

class Coder {
 public:
  Coder(const Shape& image, const CoderOptions& options);

  /// Pixels (batch, height, width, channels) -> hidden units (batch, units), from which a code is computed.
  [[nodiscard]] Var encode(const Scope& s, const Var& pixels) const;
  /// A code (batch, numbers) -> pixels in (0, 1), (batch, height * width * channels).
  [[nodiscard]] Var decode(const Scope& s, const Var& code) const;
  /// Such pixels as images.
  [[nodiscard]] Var shaped(const Var& pixels) const;

  /// -log N(image; pixels, deviation^2), (batch), with one learned deviation for all pixels (Rybkin, Daniilidis and
  /// Levine 2021): so the mean square of the error decides its own weight. Reports "reconstruction mse".
  [[nodiscard]] Var surprise(const Scope& s, const Var& images, const Var& pixels) const;

 private:
  [[nodiscard]] Var layer(const Scope& s, std::size_t number, const Var& x, std::int64_t units) const;

  CoderOptions options_;
  Shape image_;
  std::function<Var(Var)> activation_;
};

/// The mean square error of reconstructions, and that of `components` principal components as the baseline. A picture
/// shows the first images and both reconstructions of them. `reconstruct` is a function of "x", the pixels as stored.
[[nodiscard]] SystemFigures reconstruction_figures(const Apply& reconstruct, std::int64_t components,
                                                   const State& state, const SystemSets& sets);
/// The first images of the rows, and their reconstructions below them.
[[nodiscard]] std::pair<std::string, Medium> given_and_given_back(const Apply& reconstruct, const State& state,
                                                                  const Dataset& rows);

}  // namespace thalweg::images
