#pragma once
// The net of a variational autoencoder: it encodes an image as a vector of a few numbers, or as a small grid of
// vectors.

#include "system/autoencoder.hpp"
#include "thalweg/state.hpp"

namespace thalweg::images {

struct VaeOptions {
  std::int64_t width = 16, levels = 0, channels = 32;
  CoderOptions coder = {};
  [[nodiscard]] Fields fields();
};

class Vae {
 public:
  Vae(const Shape& image, const VaeOptions& options);

  /// The shape of the code of one image: (width). With levels it is (height, width of the grid, width), where the
  /// image's height and width are halved once per level.
  [[nodiscard]] const Shape& code() const { return code_; }

  /// The distribution of the code of each image; both members are (batch, ...).
  struct Distribution {
    Var mean, log_variance;
    [[nodiscard]] Var drawn(const Var& noise) const;
  };
  /// Encodes pixels (batch, height, width, channels), with parameters below "encoder".
  [[nodiscard]] Distribution encode(const Scope& s, const Var& pixels) const;
  /// The same with the parameters of a trained state as constants: it declares and trains nothing. Only for codes that
  /// are grids.
  [[nodiscard]] Distribution encode_as(const State& trained, const Scope& s, const Var& pixels) const;
  /// A code (batch, ...) -> pixels in (0, 1), (batch, height * width * channels), from parameters below "decoder".
  [[nodiscard]] Var decode(const Scope& s, const Var& code) const;
  /// The same pixels, with the shape of images.
  [[nodiscard]] Var images(const Scope& s, const Var& code) const { return coder_.shaped(decode(s, code)); }
  /// See Coder::surprise, and the divergence of the codes from standard normal ones.
  [[nodiscard]] Loss loss(const Scope& s, const Var& pixels) const;

 private:
  VaeOptions options_;
  Shape image_, code_;
  Coder coder_;
};

}  // namespace thalweg::images
