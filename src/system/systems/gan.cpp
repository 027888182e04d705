// A generative adversarial network: a generator, and a discriminator that learns to tell its images from real ones.

#include "system/images.hpp"
#include "system/onlooker.hpp"
#include "system/row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct GanOptions {
  std::int64_t code = 64;
  std::int64_t width = 64;
};

Fields fields(GanOptions& o) {
  return {{"code", &o.code, "random numbers from which an image is made", {.low = 1, .high = 65536}},
          {"width",
           &o.width,
           "channels at half the image's size, and twice as many at a quarter",
           {.low = 1, .high = 1024}}};
}

class Gan {
 public:
  Gan(const SystemData& data, const GanOptions& o) : o_(o), image_(data.input) {}

  /// z (batch, code) -> pixels in (0, 1).
  [[nodiscard]] Var generator(const Scope& s, const Var& z) const {
    const std::int64_t height = image_[0] / 4, width = image_[1] / 4;
    Var h = nn::dense(s / "code", z, height * width * 2 * o_.width, {.bias = false, .initializer = near_zero()});
    h = relu(nn::batch_norm(s / "norm0", reshape(h, {z.dim(0), height, width, 2 * o_.width})));
    h = nn::conv_transpose2d(s / "larger1", h,
                             {.filters = o_.width, .kernel = 4, .bias = false, .initializer = near_zero()});
    h = relu(nn::batch_norm(s / "norm1", h));
    return sigmoid(
        nn::conv_transpose2d(s / "larger2", h, {.filters = image_[2], .kernel = 4, .initializer = near_zero()}));
  }

  /// Pixels in [0, 1] -> a logit for each image, (batch): above 0 if the image is classified as real.
  [[nodiscard]] Var discriminator(const Scope& s, const Var& pixels) const {
    const nn::ConvOptions smaller = {.filters = o_.width, .kernel = 4, .stride = 2, .initializer = near_zero()};
    Var h = leaky_relu(nn::conv2d(s / "smaller1", pixels * 2 - 1, smaller), 0.2);
    nn::ConvOptions more = smaller;
    more.filters = 2 * o_.width;
    more.bias = false;
    h = leaky_relu(nn::batch_norm(s / "norm", nn::conv2d(s / "smaller2", h, more)), 0.2);
    return reshape(nn::dense(s / "real", flatten(h), 1, {.initializer = near_zero()}), {pixels.dim(0)});
  }

  [[nodiscard]] Var made(const Scope& s, const Batch& b) const {
    return generator(s.share("g"), s.normal("z", {b.rows(), o_.code}));
  }

  /// -log sigmoid(D(x)) - log(1 - sigmoid(D(G(z)))).
  [[nodiscard]] Loss d_loss(const Scope& s, const Batch& b) const {
    const Var real = discriminator(s.share("d"), images::unit_pixels(b["input"]));
    const Var fake = discriminator(s.share("d"), stop_gradient(made(s, b)));
    s.report("taken for real", sigmoid(real));
    return Loss::of_samples(softplus(-real) + softplus(fake));
  }

  /// -log sigmoid(D(G(z))): the form of Goodfellow that does not saturate.
  [[nodiscard]] Loss g_loss(const Scope& s, const Batch& b) const {
    const Var fake = discriminator(s.share("d"), made(s, b));
    s.report("fakes taken for real", sigmoid(fake));
    return Loss::of_samples(softplus(-fake));
  }

  [[nodiscard]] std::int64_t code() const { return o_.code; }

 private:
  [[nodiscard]] static Initializer near_zero() { return init::normal(0.02); }

  GanOptions o_;
  Shape image_;
};

System make_gan(const SystemData& data, const GanOptions& o) {
  images::expect(data, "gan", 4);
  const auto gan = std::make_shared<const Gan>(data, o);
  const Apply decode([gan](Scope s, const Batch& b) { return gan->generator(s / "g", b["x"]); }, data.threads);
  const auto sample = [=](const State& state, const GenerateRequest& request) {
    return images::in_portions(decode, state, random_normal({request.count, gan->code()}, request.seed));
  };
  return {.objectives = {{"d", [gan](Scope s, const Batch& b) { return gan->d_loss(s, b); }, {.trains = "d/*"}},
                         {"g", [gan](Scope s, const Batch& b) { return gan->g_loss(s, b); }, {.trains = "g/*"}}},
          .show = [=](const State& state, const Dataset&) -> NamedMedia {
            return {{"samples", Medium::pictures(sample(state, {.count = 32}), 16)}};
          },
          .evaluate =
              [=](const State& state, const SystemSets& sets) {
                return images::figures_of_samples(
                    data, sets, [&](const GenerateRequest& request) { return sample(state, request); }, false);
              },
          .generate = [=](const State& state,
                          const GenerateRequest& request) { return images::generated(sample(state, request)); }};
}

}  // namespace

std::vector<SystemRow> gan_systems() {
  const OptionMap defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 2e-4}, {"beta1", 0.5}}},
                              {"schedule", OptionMap{{"kind", "constant"}}}};
  return {
      system_row<GanOptions>({.name = "gan",
                              .summary = "a generator of images, and a discriminator that it learns to deceive",
                              .formula = "d: -log sigmoid(D(x)) - log(1 - sigmoid(D(G(z)))); g: -log sigmoid(D(G(z)))",
                              .when = "sharp images in a single pass; its training is a balance of two nets, and its "
                                      "losses do not show its quality",
                              .source = "Goodfellow et al. 2014; the layers: Radford, Metz and Chintala 2016",
                              .defaults = defaults},
                             make_gan)};
}

}  // namespace thalweg
