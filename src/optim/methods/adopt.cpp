// ADOPT: Adam that divides by the second moment of earlier steps only, and so converges for any beta2 (Taniguchi et
// al. 2024, algorithm 2).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdoptOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "lower limit of the root that divides a gradient", positive}});
}

namespace {

Var direction(Update& u, const AdoptOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step(), g = u.gradient;
  const Var first = equal(t, 1), most = pow(t - 1, 0.25);
  const Var scaled = clamp(g / maximum(sqrt(u["v"]), u.scalar("eps", o.eps)), -most, most);
  u["m"] = where(first, 0, running_mean(u["m"], scaled, b1));
  u["v"] = where(first, square(g), running_mean(u["v"], square(g), b2));
  const Var decay = u.weight_decay(o.weight_decay);
  return decay.defined() ? where(first, 0, u["m"] + decay * u.parameter) : u["m"];
}

}  // namespace

Optimizer adopt(AdoptOptions o) {
  return framed("adopt", o, Decay::own,
                {{.name = "adopt", .slots = {{"m", 0.0}, {"v", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> adopt_methods() {
  return {row(
      adopt, {.name = "adopt",
              .summary = "Adam that divides by the second moment of earlier steps only, and so converges for any beta2",
              .formula = "m = beta1 m + (1 - beta1) clip(g/max(sqrt(v), eps), (t-1)^(1/4)); x -= lr m; v = beta2 v + "
                         "(1 - beta2) g^2; the first step sets v = g^2 only",
              .when = "in place of Adam, where gradients are very noisy",
              .source = "Taniguchi et al. 2024, algorithm 2"})};
}

}  // namespace thalweg::optim
