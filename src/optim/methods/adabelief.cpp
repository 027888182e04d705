// AdaBelief: Adam that takes large steps where the gradient is close to its running mean (Zhuang et al. 2020,
// algorithm 2).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdabeliefOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of (g - m)^2", below_one},
                        {"eps", &o.eps, "added to the mean of squares and to its root", not_negative}});
}

namespace {

Var direction(Update& u, const AdabeliefOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step(),
            eps = u.scalar("eps", o.eps);
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["s"] = running_mean(u["s"], square(u.gradient - u["m"]), b2) + eps;
  return u["m"] * (1 / (1 - pow(b1, t))) / (sqrt(u["s"]) * (1 / sqrt(1 - pow(b2, t))) + eps);
}

}  // namespace

Optimizer adabelief(AdabeliefOptions o) {
  return framed("adabelief", o, Decay::decoupled,
                {{.name = "adabelief", .slots = {{"m", 0.0}, {"s", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> adabelief_methods() {
  return {row(
      adabelief,
      {.name = "adabelief",
       .summary = "Adam that takes large steps where the gradient is close to its running mean",
       .formula = "s = beta2 s + (1 - beta2)(g - m)^2 + eps; x -= lr m/(1 - beta1^t) / (sqrt(s/(1 - beta2^t)) + eps)",
       .when = "in place of Adam, where its generalisation falls behind SGD's",
       .source = "Zhuang et al. 2020, algorithm 2"})};
}

}  // namespace thalweg::optim
