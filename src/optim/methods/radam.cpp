// RAdam: Adam that warms up by itself (Liu et al. 2020; as PyTorch's RAdam).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(RadamOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative}});
}

namespace {

Var direction(Update& u, const RadamOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  const Var correction2 = 1 - pow(b2, t), longest = 2 / (1 - b2) - 1;
  const Var length = longest - 2 * t * pow(b2, t) / correction2;
  const Var rectified =
      sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length) * correction2);
  const Var mean = u["m"] * (1 / (1 - pow(b1, t)));
  return where(length > 5, mean * rectified / (sqrt(u["v"]) + u.scalar("eps", o.eps)), mean);
}

}  // namespace

Optimizer radam(RadamOptions o) {
  return framed("radam", o, Decay::coupled,
                {{.name = "radam", .slots = {{"m", 0.0}, {"v", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> radam_methods() {
  return {row(radam, {.name = "radam",
                      .summary = "Adam that warms up by itself",
                      .formula = "r from the number of steps in v; x -= lr r m/(1 - beta1^t) / (sqrt(v/(1 "
                                 "- beta2^t)) + eps), without r and the root in the first steps",
                      .when = "in place of Adam with a warm-up",
                      .source = "Liu et al. 2020; as PyTorch's RAdam"})};
}

}  // namespace thalweg::optim
