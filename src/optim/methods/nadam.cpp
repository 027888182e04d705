// NAdam: Adam with Nesterov momentum (Dozat 2016; as PyTorch's NAdam (2.x)).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(NadamOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative},
                        {"momentum_decay", &o.momentum_decay, "how fast mu rises to beta1", not_negative}});
}

namespace {

Var direction(Update& u, const NadamOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  const auto mu_at = [&](const Var& at) { return b1 * (1 - 0.5 * pow(0.96, at * o.momentum_decay)); };
  const Var mu = mu_at(t), next = mu_at(t + 1);
  const Var product = u["mu_product"] = u["mu_product"] * mu;
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  const Var root = sqrt(u["v"]) * (1 / sqrt(1 - pow(b2, t))) + u.scalar("eps", o.eps);
  return ((1 - mu) / (1 - product) * u.gradient + next / (1 - product * next) * u["m"]) / root;
}

}  // namespace

Optimizer nadam(NadamOptions o) {
  return framed("nadam", o, Decay::coupled,
                {{.name = "nadam",
                  .slots = {{"m", 0.0}, {"v", 0.0}, {"mu_product", 1.0, Slot::Kind::scalar}},
                  .rule = with(direction, o)}});
}

std::vector<OptimizerRow> nadam_methods() {
  return {
      row(nadam, {.name = "nadam",
                  .summary = "Adam with Nesterov momentum",
                  .formula = "mu = beta1 (1 - 0.96^(t momentum_decay)/2), P the product of mu so far; x -= lr ((1 - "
                             "mu) g/(1 - P) + mu_next m/(1 - P mu_next)) / (sqrt(v/(1 - beta2^t)) + eps)",
                  .when = "in place of Adam, where gradients have little noise",
                  .source = "Dozat 2016; as PyTorch's NAdam (2.x)"})};
}

}  // namespace thalweg::optim
