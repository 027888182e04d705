#include "system/autoencoder.hpp"

#include <cmath>
#include <numbers>

#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::images {

Fields CoderOptions::fields() {
  return {{"hidden",
           &hidden,
           "units of the encoder's dense layers; the decoder has them in reverse",
           {.low = 1, .high = 65536}},
          {.name = "activation",
           .place = &activation,
           .doc = "activation after each of these layers",
           .choices = {nn::activations().begin(), nn::activations().end()}}};
}

Coder::Coder(const Shape& image, const CoderOptions& options)
    : options_(options), image_(image), activation_(nn::activation(options.activation)) {}

Var Coder::layer(const Scope& s, std::size_t number, const Var& x, std::int64_t units) const {
  return activation_(nn::dense(s / ("layer" + std::to_string(number)), x, units));
}

Var Coder::encode(const Scope& s, const Var& pixels) const {
  Var h = flatten(pixels);
  for (std::size_t i = 0; i < options_.hidden.size(); ++i) h = layer(s, i + 1, h, options_.hidden[i]);
  return h;
}

Var Coder::decode(const Scope& s, const Var& code) const {
  Var h = code;
  for (std::size_t i = 0; i < options_.hidden.size(); ++i)
    h = layer(s, i + 1, h, options_.hidden[options_.hidden.size() - 1 - i]);
  return sigmoid(nn::dense(s / "output", h, image_.size(), {.initializer = init::lecun_normal()}));
}

Var Coder::shaped(const Var& pixels) const { return reshape(pixels, {pixels.dim(0), image_[0], image_[1], image_[2]}); }

Var Coder::surprise(const Scope& s, const Var& images, const Var& pixels) const {
  const Var deviation = s.parameter("log_deviation", {1}, {.initializer = init::constant(-1), .decay = false});
  const Var error = sum(square(flatten(images) - pixels), -1);  // (batch)
  s.report("reconstruction mse", error / image_.size());
  return error * exp(-2 * deviation) / 2 +
         static_cast<double>(image_.size()) * (deviation + std::log(2 * std::numbers::pi) / 2);
}

SystemFigures reconstruction_figures(const Apply& reconstruct, std::int64_t components, const State& state,
                                     const SystemSets& sets) {
  const Tensor test = unit_pixels(sets.test["input"]);
  const Tensor back = in_portions(reconstruct, state, sets.test["input"]);
  const Tensor linear = principal_reconstruction(unit_pixels(sets.train["input"]), test, components);
  const std::string name = std::to_string(components) + " principal components";
  return {.metrics = {{"reconstruction mse", mean_square(test, back)}},
          .baselines = {{name, {{"reconstruction mse", mean_square(test, linear)}}}},
          .media = {{"given, by the code, by " + name,
                     Medium::pictures(stacked({first_of(test, 16), first_of(back, 16), first_of(linear, 16)}), 16)}}};
}

std::pair<std::string, Medium> given_and_given_back(const Apply& reconstruct, const State& state, const Dataset& rows) {
  const Tensor given = first_of(rows["input"], 16);
  return {"given and given back",
          Medium::pictures(stacked({unit_pixels(given), in_portions(reconstruct, state, given)}), 16)};
}

}  // namespace thalweg::images
