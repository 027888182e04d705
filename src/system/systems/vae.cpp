// A variational autoencoder: images as points of a few numbers, and new images from new points.

#include <cmath>
#include <numbers>

#include "system/images.hpp"
#include "system/onlooker.hpp"
#include "system/row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct VaeOptions {
  std::int64_t width = 16;
  std::vector<std::int64_t> hidden = {512, 256};
  std::string activation = "relu";
};

Fields fields(VaeOptions& o) {
  return {{"width", &o.width, "numbers that an image is encoded as", {.low = 1}},
          {"hidden", &o.hidden, "units of the encoder's dense layers; the decoder has them in reverse", {.low = 1}},
          {.name = "activation",
           .place = &o.activation,
           .doc = "after each of them",
           .choices = {nn::activations().begin(), nn::activations().end()}}};
}

class Vae {
 public:
  Vae(const SystemData& data, const VaeOptions& options)
      : options_(options), image_(data.input), activation_(nn::activation(options.activation)) {}

  /// x (batch, height, width, channels) -> mean and log variance, (batch, width) each.
  [[nodiscard]] std::pair<Var, Var> encode(const Scope& s, const Var& x) const {
    Var h = flatten(x);
    for (std::size_t i = 0; i < options_.hidden.size(); ++i) h = layer(s, i + 1, h, options_.hidden[i]);
    const DenseCode code = {.initializer = init::lecun_normal()};
    return {nn::dense(s / "mean", h, options_.width, code), nn::dense(s / "log_variance", h, options_.width, code)};
  }

  /// z (batch, width) -> the image's pixels in (0, 1).
  [[nodiscard]] Var decode(const Scope& s, const Var& z) const {
    Var h = z;
    for (std::size_t i = 0; i < options_.hidden.size(); ++i)
      h = layer(s, i + 1, h, options_.hidden[options_.hidden.size() - 1 - i]);
    return sigmoid(nn::dense(s / "output", h, image_.size(), DenseCode{.initializer = init::lecun_normal()}));
  }

  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var x = images::unit_pixels(b["input"]);
    const auto [mean, log_variance] = encode(s / "encoder", x);
    const Var z = mean + exp(log_variance / 2) * s.normal("z", mean.shape());
    const Var pixels = decode(s / "decoder", z);
    const Var deviation = s.parameter("log_deviation", {1}, {.initializer = init::constant(-1), .decay = false});
    const Var error = sum(square(flatten(x) - pixels), -1);  // (batch)
    const Var kl = sum(square(mean) + exp(log_variance) - 1 - log_variance, -1) / 2;
    s.report("kl", kl);
    s.report("reconstruction mse", error / image_.size());
    const double pixel_count = static_cast<double>(image_.size());
    return Loss::of_samples(error * exp(-2 * deviation) / 2 +
                            pixel_count * (deviation + std::log(2 * std::numbers::pi) / 2) + kl);
  }

  [[nodiscard]] Var reconstruct(const Scope& s, const Var& pixels) const {
    return shaped(decode(s / "decoder", encode(s / "encoder", images::unit_pixels(pixels)).first));
  }
  [[nodiscard]] Var shaped(const Var& pixels) const {
    return reshape(pixels, {pixels.dim(0), image_[0], image_[1], image_[2]});
  }
  [[nodiscard]] std::int64_t width() const { return options_.width; }

 private:
  using DenseCode = nn::DenseOptions;
  [[nodiscard]] Var layer(const Scope& s, std::size_t number, const Var& x, std::int64_t units) const {
    return activation_(nn::dense(s / ("layer" + std::to_string(number)), x, units));
  }

  VaeOptions options_;
  Shape image_;
  std::function<Var(Var)> activation_;
};

SystemFigures figures_of(const Apply& reconstruct, std::int64_t width, const State& state, const SystemSets& sets) {
  const Tensor test = images::unit_pixels(sets.test["input"]);
  const Tensor back = images::in_portions(reconstruct, state, sets.test["input"]);
  const Tensor linear = images::principal_reconstruction(images::unit_pixels(sets.train["input"]), test, width);
  const std::string name = std::to_string(width) + " principal components";
  return {.metrics = {{"reconstruction mse", images::mean_square(test, back)}},
          .baselines = {{name, {{"reconstruction mse", images::mean_square(test, linear)}}}},
          .media = {{"given, by the code, by " + name,
                     Medium::pictures(images::stacked({images::first_of(test, 16), images::first_of(back, 16),
                                                       images::first_of(linear, 16)}),
                                      16)}}};
}

System make_vae(const SystemData& data, const VaeOptions& options) {
  images::expect(data, "vae", 1);
  const auto vae = std::make_shared<const Vae>(data, options);
  const Apply decode([vae](Scope s, const Batch& b) { return vae->shaped(vae->decode(s / "decoder", b["x"])); },
                     data.threads);
  const Apply reconstruct([vae](Scope s, const Batch& b) { return vae->reconstruct(s, b["x"]); }, data.threads);
  const auto sample = [vae, decode](const State& state, const GenerateRequest& request) {
    return images::in_portions(decode, state, random_normal({request.count, vae->width()}, request.seed));
  };
  const auto show = [=](const State& state, const Dataset& rows) -> NamedMedia {
    const Tensor given = images::first_of(rows["input"], 16);
    return {{"samples", Medium::pictures(sample(state, {.count = 32}), 16)},
            {"given and given back",
             Medium::pictures(
                 images::stacked({images::unit_pixels(given), images::in_portions(reconstruct, state, given)}), 16)}};
  };
  const auto evaluate = [=](const State& state, const SystemSets& sets) {
    SystemFigures figures = figures_of(reconstruct, vae->width(), state, sets);
    if (data.classes.size() < 2) return figures;  // nobody there to look at samples
    images::append(figures,
                   images::figures_of_samples(
                       data, sets, [&](const GenerateRequest& request) { return sample(state, request); }, false));
    return figures;
  };
  return {.objectives = {{.loss = [vae](Scope s, const Batch& b) { return vae->loss(s, b); }}},
          .show = show,
          .evaluate = evaluate,
          .generate = [sample](const State& state, const GenerateRequest& request) {
            return images::generated(sample(state, request));
          }};
}

}  // namespace

std::vector<SystemRow> vae_systems() {
  return {system_row<VaeOptions>(
      {.name = "vae",
       .summary = "a variational autoencoder of images",
       .formula = "-log N(x; decode(z), deviation^2) + KL(N(mean, variance) || N(0, 1)), z = mean + sqrt(variance) "
                  "noise; mean and variance = encode(x), one deviation of all pixels is learned",
       .when = "images as a few numbers, and new images like those given",
       .source = "Kingma and Welling 2014; the deviation: Rybkin, Daniilidis and Levine 2021"},
      make_vae)};
}

}  // namespace thalweg
