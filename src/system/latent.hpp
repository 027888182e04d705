#pragma once
// The codes of an autoencoder that another run has trained, for systems that work on codes instead of pixels.

#include <memory>

#include "system/variational.hpp"
#include "thalweg/apply.hpp"

namespace thalweg::images {

/// A checksum of the parameters of a run, as hexadecimal digits. Throws OptionError for "latent" if `run` is not the
/// folder of a finished run of the system "vae" with levels.
[[nodiscard]] std::string checksum_of_run(const std::string& run);

class Latent {
 public:
  /// Opens such a run, for images with the shape and dtype of `data`. Throws DataError if the run is gone, if the
  /// checksum of its parameters has changed, or if it was trained on other images.
  Latent(const std::string& run, const std::string& checksum, const SystemData& data);

  /// The shape of the code of one image, (height, width, numbers).
  [[nodiscard]] const Shape& code() const { return vae_->code(); }
  /// Pixels in [0, 1] -> a code for each image, drawn from the encoder's distribution. The divergence in the loss of
  /// the VAE makes these codes about standard normal over all images, so they need no scaling.
  [[nodiscard]] Var encode(const Scope& s, const Var& pixels) const;
  /// Codes (count, ...) -> pixels in [0, 1], f32.
  [[nodiscard]] Tensor decode(const Tensor& codes) const;

 private:
  void open(const std::string& run, const std::string& checksum, const SystemData& data);

  std::shared_ptr<const Vae> vae_;
  State state_;
  std::unique_ptr<Apply> decode_;
};

}  // namespace thalweg::images
