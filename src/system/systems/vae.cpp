// A variational autoencoder: images as points of a few numbers, and new images from new points.

#include "system/autoencoder.hpp"
#include "system/onlooker.hpp"
#include "system/row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct VaeOptions {
  std::int64_t width = 16;
  images::CoderOptions coder = {};
};

Fields fields(VaeOptions& o) {
  Fields all = o.coder.fields();
  all.insert(all.begin(), {"width", &o.width, "numbers that an image is encoded as", {.low = 1}});
  return all;
}

class Vae {
 public:
  Vae(const SystemData& data, const VaeOptions& options) : width_(options.width), coder_(data.input, options.coder) {}

  /// x (batch, height, width, channels) -> mean and log variance, (batch, width) each.
  [[nodiscard]] std::pair<Var, Var> encode(const Scope& s, const Var& x) const {
    const Var h = coder_.encode(s, x);
    const nn::DenseOptions code = {.initializer = init::lecun_normal()};
    return {nn::dense(s / "mean", h, width_, code), nn::dense(s / "log_variance", h, width_, code)};
  }

  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var x = images::unit_pixels(b["input"]);
    const auto [mean, log_variance] = encode(s / "encoder", x);
    const Var z = mean + exp(log_variance / 2) * s.normal("z", mean.shape());
    const Var pixels = coder_.decode(s / "decoder", z);
    const Var kl = sum(square(mean) + exp(log_variance) - 1 - log_variance, -1) / 2;
    s.report("kl", kl);
    return Loss::of_samples(coder_.surprise(s, x, pixels) + kl);
  }

  [[nodiscard]] Var reconstruct(const Scope& s, const Var& pixels) const {
    return decode(s, encode(s / "encoder", images::unit_pixels(pixels)).first);
  }
  [[nodiscard]] Var decode(const Scope& s, const Var& z) const {
    return coder_.shaped(coder_.decode(s / "decoder", z));
  }
  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  std::int64_t width_;
  images::Coder coder_;
};

System make_vae(const SystemData& data, const VaeOptions& options) {
  images::expect(data, "vae", 1);
  const auto vae = std::make_shared<const Vae>(data, options);
  const Apply decode([vae](Scope s, const Batch& b) { return vae->decode(s, b["x"]); }, data.threads);
  const Apply reconstruct([vae](Scope s, const Batch& b) { return vae->reconstruct(s, b["x"]); }, data.threads);
  const auto sample = [vae, decode](const State& state, const GenerateRequest& request) {
    return images::in_portions(decode, state, random_normal({request.count, vae->width()}, request.seed));
  };
  const auto show = [=](const State& state, const Dataset& rows) -> NamedMedia {
    return {{"samples", Medium::pictures(sample(state, {.count = 32}), 16)},
            images::given_and_given_back(reconstruct, state, rows)};
  };
  const auto evaluate = [=](const State& state, const SystemSets& sets) {
    SystemFigures figures = images::reconstruction_figures(reconstruct, vae->width(), state, sets);
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
