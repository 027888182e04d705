#pragma once
// Systems that know an image as a few codes, whole numbers each: what they are measured by, and a prior that new codes
// are drawn from.

#include <memory>

#include "system/autoencoder.hpp"

namespace thalweg::images {

/// What a system of codes says of itself.
struct CodeModel {
  std::int64_t places = 0;  ///< codes of an image
  std::int64_t codes = 0;   ///< that there are to choose from at each place
  bool one_table = true;    ///< whether a code means the same at every place
  /// What trains everything but the prior, which is below "prior".
  Objective loss;
  Patterns trains;
  /// Pixels in [0, 1], (batch, height, width, channels) -> codes i32 (batch, places).
  std::function<Var(Scope, Var pixels)> encode;
  /// Such codes -> an image's pixels in (0, 1), (batch, height, width, channels).
  std::function<Var(Scope, Var codes)> decode;
};

/// Of a net with the three functions, which trains encoder, decoder and deviation.
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

/// What systems of codes have in common, and the options of one alone between.
struct CodeOptions {
  std::int64_t places = 16, codes = 128;
  CoderOptions coder = {};
  PriorOptions prior = {};
  [[nodiscard]] Fields fields(Fields own);
};

/// Two objectives that take turns: the model's own, and a transformer that learns to predict each code of an image by
/// those before it (van den Oord et al. 2017, sec. 4.2, train theirs afterwards). New images are decoded from codes
/// drawn by it. Measured are reconstructions beside as many principal components as an image has codes, codes in use,
/// and samples.
[[nodiscard]] System code_system(const SystemData& data, CodeModel model, const PriorOptions& prior);

}  // namespace thalweg::images
