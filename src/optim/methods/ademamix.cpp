// AdEMAMix: Adam with a second running mean that remembers thousands of steps (Pagliardini, Ablin and Grangier 2024,
// algorithm 1).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdemamixOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"beta3", &o.beta3, "decay of the slow running mean", below_one},
                        {"alpha", &o.alpha, "weight of the slow running mean", not_negative},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative},
                        {"warmup", &o.warmup, "steps over which alpha and beta3 rise to their values", not_negative}});
}

namespace {

Var direction(Update& u, const AdemamixOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  Var b3 = u.scalar("beta3", o.beta3), alpha = u.scalar("alpha", o.alpha);
  if (o.warmup > 0) {
    const Var part = minimum(1, t / static_cast<double>(o.warmup));
    const Var from = log(b1), to = log(b3);  // so that the half-life grows linearly
    b3 = minimum(b3, exp(from * to / ((1 - part) * to + part * from)));
    alpha = alpha * part;
  }
  u["m1"] = running_mean(u["m1"], u.gradient, b1);
  u["m2"] = running_mean(u["m2"], u.gradient, b3);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  const Var root = sqrt(u["v"]) * (1 / sqrt(1 - pow(b2, t))) + u.scalar("eps", o.eps);
  return ((1 / (1 - pow(b1, t))) * u["m1"] + alpha * u["m2"]) / root;
}

}  // namespace

Optimizer ademamix(AdemamixOptions o) {
  return framed("ademamix", o, Decay::decoupled,
                {{.name = "ademamix", .slots = {{"m1", 0.0}, {"m2", 0.0}, {"v", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> ademamix_methods() {
  return {
      row(ademamix,
          {.name = "ademamix",
           .summary = "Adam with a second running mean that remembers thousands of steps",
           .formula =
               "m2 = beta3 m2 + (1 - beta3) g; x -= lr (m1/(1 - beta1^t) + alpha m2) / (sqrt(v/(1 - beta2^t)) + eps)",
           .when = "long trainings of language models",
           .source = "Pagliardini, Ablin and Grangier 2024, algorithm 1"})};
}

}  // namespace thalweg::optim
