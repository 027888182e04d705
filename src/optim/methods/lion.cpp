// Lion: the sign of an interpolation of gradient and momentum (Chen et al. 2023, algorithm 2).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(LionOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"beta1", &o.beta1, "weight of the running mean in the direction; the gradient has the rest", below_one},
       {"beta2", &o.beta2, "decay of the running mean of gradients", below_one}});
}

namespace {

Var direction(Update& u, const LionOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2);
  const Var mixed = running_mean(u["m"], u.gradient, b1);
  u["m"] = running_mean(u["m"], u.gradient, b2);
  return sign(mixed);
}

}  // namespace

Optimizer lion(LionOptions o) {
  return framed("lion", o, Decay::decoupled, {{.name = "lion", .slots = {{"m", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> lion_methods() {
  return {row(lion,
              {.name = "lion",
               .summary = "the sign of an interpolation of gradient and momentum",
               .formula = "x -= lr sign(beta1 m + (1 - beta1) g); then m = beta2 m + (1 - beta2) g",
               .when = "large networks with large batches: half of Adam's memory; lr 3 to 10 times smaller than Adam's",
               .source = "Chen et al. 2023, algorithm 2"})};
}

}  // namespace thalweg::optim
