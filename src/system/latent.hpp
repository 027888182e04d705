#pragma once
// The space of codes of an autoencoder that a run has trained, for systems that work on codes rather than on pixels.

#include <memory>

#include "system/variational.hpp"
#include "thalweg/apply.hpp"

namespace thalweg::images {

/// A number for the parameters that a run has trained, as hexadecimal digits. Throws OptionError for "latent" where
/// `run` is not the folder of a finished run of the system "vae" with levels.
[[nodiscard]] std::string checksum_of_run(const std::string& run);

class Latent {
 public:
  /// Of such a run, on images as `data` has them. Throws DataError where there is none any more, where its parameters
  /// are no longer those with this checksum, and where its images are others.
  Latent(const std::string& run, const std::string& checksum, const SystemData& data);

  /// Of the code of one image, (height, width, numbers).
  [[nodiscard]] const Shape& code() const { return vae_->code(); }
  /// Pixels in [0, 1] -> a code drawn for each from what the encoder says. The divergence that the VAE was trained by
  /// makes such codes, over all images, about standard normal, so that they need no scaling.
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
