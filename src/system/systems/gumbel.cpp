// An autoencoder whose code is a discrete choice at each of a few places; it is trained with the derivative of soft
// choices.

#include <cmath>

#include "system/codes.hpp"
#include "system/row.hpp"
#include "thalweg/estimators.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct GumbelOptions : images::CodeOptions {
  double temperature = 1, lowest_temperature = 0.5, cooling = 1e-3, kl = 1;
};

Fields fields(GumbelOptions& o) {
  return o.CodeOptions::fields(
      {{"temperature", &o.temperature, "temperature of the choices at the first step", positive},
       {"lowest_temperature", &o.lowest_temperature, "the final value of the temperature", positive},
       {"cooling", &o.cooling, "fraction of the distance to the lowest temperature that each step covers", below_one},
       {"kl", &o.kl, "weight of the divergence from equally likely choices", not_negative}});
}

constexpr double logit_deviation = 3;  // at first

class GumbelAutoencoder {
 public:
  GumbelAutoencoder(const SystemData& data, const GumbelOptions& o) : o_(o), coder_(data.input, o.coder) {}

  /// The choice at each place is the largest of logits + g, g = -log(-log(u)): a code, drawn by its probability. Its
  /// derivative is taken to be that of softmax((logits + g) / temperature): Jang's straight-through estimator.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var x = images::unit_pixels(b["input"]);
    const Var scores = logits(s / "encoder", x);
    const Var temperature = s.statistic("temperature", {1}, o_.temperature);
    s.observe("temperature", constant(full({1}, o_.lowest_temperature, s.dtype())), o_.cooling);
    const Var noisy = scores + gumbel_noise(s.uniform("choice", scores.shape()));
    const Var chosen = straight_through(one_hot(argmax(noisy), o_.codes, s.dtype()), softmax(noisy / temperature));
    const Var log_q = log_softmax(scores);
    const Var kl = sum(exp(log_q) * (log_q + std::log(static_cast<double>(o_.codes))), {-2, -1});
    s.report("kl", kl);
    s.report("temperature", reshape(temperature, Shape{}));
    return Loss::of_samples(coder_.surprise(s, x, coder_.decode(s / "decoder", flatten(chosen))) + o_.kl * kl);
  }

  /// The likeliest code at each place.
  [[nodiscard]] Var encode(const Scope& s, const Var& x) const { return argmax(logits(s / "encoder", x)); }
  [[nodiscard]] Var decode(const Scope& s, const Var& codes) const {
    return coder_.shaped(coder_.decode(s / "decoder", flatten(one_hot(codes, o_.codes))));
  }

 private:
  /// (batch, places, codes). All logits vary alike over the images: no code is the likeliest for all of them, and fewer
  /// are idle.
  [[nodiscard]] Var logits(const Scope& s, const Var& x) const {
    const Var h = nn::dense(s / "logits", coder_.encode(s, x), o_.places * o_.codes,
                            {.bias = false, .initializer = init::lecun_normal()});
    return reshape(nn::batch_norm(s / "norm", h, {.weight = logit_deviation}), {x.dim(0), o_.places, o_.codes});
  }

  GumbelOptions o_;
  images::Coder coder_;
};

System make_gumbel(const SystemData& data, const GumbelOptions& o) {
  images::expect(data, "gumbel", 1);
  if (o.lowest_temperature > o.temperature)
    fail_option("lowest_temperature", "[gumbel] lowest_temperature = {}. Wanted: at most the temperature, {}",
                o.lowest_temperature, o.temperature);
  const auto net = std::make_shared<const GumbelAutoencoder>(data, o);
  images::CodeModel model = images::code_model(net, o.places, o.codes);
  model.one_table = false;
  return images::code_system(data, std::move(model), o.prior);
}

}  // namespace

std::vector<SystemRow> gumbel_systems() {
  return {system_row<GumbelOptions>(
      {.name = "gumbel",
       .summary = "images as discrete choices, trained with the derivative of soft choices; a prior draws the choices "
                  "of new images",
       .formula =
           "-log N(x; decode(y), deviation^2) + kl KL(softmax(l) || uniform), y = one_hot(argmax(h)), dy/dh = that of "
           "softmax(h / temperature), h = l - log(-log u), l = batch_norm(encode(x)); the temperature falls by a part "
           "of the way to its lowest at each step; prior: -log p(code | codes before it)",
       .when = "like vq_vae, if a code should have a different meaning at each place, or if its probability is needed",
       .source = "Jang, Gu and Poole 2017; Maddison, Mnih and Teh 2017",
       .defaults = images::adam_by_cosine(1e-3)},
      make_gumbel)};
}

}  // namespace thalweg
