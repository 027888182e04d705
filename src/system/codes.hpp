#pragma once
// Systems that encode an image as a few codes, which are whole numbers: their evaluation, and a prior from which new
// codes are drawn.

#include <memory>

#include "system/autoencoder.hpp"

namespace thalweg::images {

/// The parts of a system of codes.
struct CodeModel {
  std::int64_t places = 0;  ///< number of codes of an image
  std::int64_t codes = 0;   ///< number of possible codes at each place
  bool one_table = true;    ///< whether a code has the same meaning at every place
  /// The loss of all parameters but those of the prior, which are below "prior".
  Objective loss;
  Patterns trains;
  /// Pixels in [0, 1], (batch, height, width, channels) -> codes i32 (batch, places).
  std::function<Var(Scope, Var pixels)> encode;
  /// Such codes -> pixels of the images in (0, 1), (batch, height, width, channels).
  std::function<Var(Scope, Var codes)> decode;
};

/// Makes the parts from a net that has these three functions and trains encoder, decoder and deviation.
template <class Net>
[[nodiscard]] CodeModel code_model(std::shared_ptr<const Net> net, std::int64_t places, std::int64_t codes) {
  return {.places = places,
          .codes = codes,
          .loss = [net](Scope s, const Batch& b) { return net->loss(s, b); },
          .trains = {"encoder/*", "decoder/*", "log_deviation"},
          .encode = [net](Scope s, Var x) { return net->encode(s, x); },
          .decode = [net](Scope s, Var codes_of_images) { return net->decode(s, codes_of_images); }};
}

struct PriorOptions {
  std::int64_t layers = 2, width = 64;
  [[nodiscard]] Fields fields();
};

/// The common options of systems of codes. `fields` puts a system's own options between them.
struct CodeOptions {
  std::int64_t places = 16, codes = 128;
  CoderOptions coder = {};
  PriorOptions prior = {};
  [[nodiscard]] Fields fields(Fields own);
};

/// Two objectives that take turns: the model's own, and a transformer that learns to predict each code of an image from
/// those before it (van den Oord et al. 2017, sec. 4.2, train theirs afterwards). New images are decoded from codes
/// that the transformer draws. The figures compare reconstructions with those from as many principal components as an
/// image has codes, and include the number of codes in use, and samples.
[[nodiscard]] System code_system(const SystemData& data, CodeModel model, const PriorOptions& prior);

}  // namespace thalweg::images
