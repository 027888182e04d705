// Yogi: Adam whose second moment moves by steps of bounded size (Zaheer et al. 2018, algorithm 2).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(YogiOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root", not_negative},
                        {"initial_accumulator", &o.initial_accumulator, "initial value of v", not_negative}});
}

namespace {

Var direction(Update& u, const YogiOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2);
  const Var squared = square(u.gradient);
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = u["v"] - (1 - b2) * sign(u["v"] - squared) * squared;
  return u["m"] / (sqrt(u["v"]) + u.scalar("eps", o.eps));
}

}  // namespace

Optimizer yogi(YogiOptions o) {
  return framed("yogi", o, Decay::decoupled,
                {{.name = "yogi", .slots = {{"m", 0.0}, {"v", o.initial_accumulator}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> yogi_methods() {
  return {row(yogi, {.name = "yogi",
                     .summary = "Adam whose second moment moves by steps of bounded size",
                     .formula = "v -= (1 - beta2) sign(v - g^2) g^2; x -= lr m / (sqrt(v) + eps)",
                     .when = "sparse gradients, where Adam forgets the large ones too fast",
                     .source = "Zaheer et al. 2018, algorithm 2"})};
}

}  // namespace thalweg::optim
