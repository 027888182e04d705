// A variational autoencoder: it encodes images as a few numbers, and makes new images from new numbers.

#include "system/onlooker.hpp"
#include "system/row.hpp"
#include "system/variational.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct VaeOptions : images::VaeOptions {};
Fields fields(VaeOptions& o) { return o.images::VaeOptions::fields(); }

System make_vae(const SystemData& data, const VaeOptions& options) {
  images::expect(data, "vae", std::int64_t{1} << options.levels);
  const auto vae = std::make_shared<const images::Vae>(data.input, options);
  const Apply decode([vae](Scope s, const Batch& b) { return vae->images(s, b["x"]); }, data.threads);
  const Apply reconstruct(
      [vae](Scope s, const Batch& b) { return vae->images(s, vae->encode(s, images::unit_pixels(b["x"])).mean); },
      data.threads);
  const auto sample = [vae, decode](const State& state, const GenerateRequest& request) {
    Shape shape{request.count};
    for (const std::int64_t size : vae->code()) shape.push_back(size);
    return images::in_portions(decode, state, random_normal(shape, request.seed));
  };
  const auto show = [=](const State& state, const Dataset& rows) -> NamedMedia {
    return {{"samples", Medium::pictures(sample(state, {.count = 32}), 16)},
            images::given_and_given_back(reconstruct, state, rows)};
  };
  const auto evaluate = [=](const State& state, const SystemSets& sets) {
    SystemFigures figures = images::reconstruction_figures(reconstruct, vae->code().size(), state, sets);
    if (data.classes.size() < 2) return figures;  // no classifier to measure samples with
    images::append(figures,
                   images::figures_of_samples(
                       data, sets, [&](const GenerateRequest& request) { return sample(state, request); }, false));
    return figures;
  };
  return {.objectives = {{.loss = [vae](Scope s,
                                        const Batch& b) { return vae->loss(s, images::unit_pixels(b["input"])); }}},
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
