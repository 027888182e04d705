#pragma once
// A variational autoencoder's net: images as a vector of a few numbers, or as a small grid of them.

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

  /// Of one image: (width); with levels (height, width, width), height and width those of the image halved as often.
  [[nodiscard]] const Shape& code() const { return code_; }

  /// Of the code of each image, (batch, ...) each.
  struct Distribution {
    Var mean, log_variance;
    [[nodiscard]] Var drawn(const Var& noise) const;
  };
  /// Pixels (batch, height, width, channels), from parameters below "encoder".
  [[nodiscard]] Distribution encode(const Scope& s, const Var& pixels) const;
  /// The same by the parameters of a trained state, as constants: nothing is declared, and nothing of it is trained.
  /// For codes that are grids.
  [[nodiscard]] Distribution encode_as(const State& trained, const Scope& s, const Var& pixels) const;
  /// A code (batch, ...) -> pixels in (0, 1), (batch, height * width * channels), from parameters below "decoder".
  [[nodiscard]] Var decode(const Scope& s, const Var& code) const;
  /// The same as images.
  [[nodiscard]] Var images(const Scope& s, const Var& code) const { return coder_.shaped(decode(s, code)); }
  /// See Coder::surprise, and the divergence of the codes from standard normal ones.
  [[nodiscard]] Loss loss(const Scope& s, const Var& pixels) const;

 private:
  VaeOptions options_;
  Shape image_, code_;
  Coder coder_;
};

}  // namespace thalweg::images
