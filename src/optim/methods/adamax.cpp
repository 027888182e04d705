// Adamax: Adam with the largest recent gradient in place of the root mean square (Kingma and Ba 2015, section 7; as
// PyTorch's Adamax).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdamaxOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running maximum of |g|", below_one},
                        {"eps", &o.eps, "added to |g|", positive}});
}

namespace {

Var direction(Update& u, const AdamaxOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2);
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["n"] = maximum(b2 * u["n"], abs(u.gradient) + u.scalar("eps", o.eps));
  return u["m"] * (1 / (1 - pow(b1, u.step()))) / u["n"];
}

}  // namespace

Optimizer adamax(AdamaxOptions o) {
  return framed("adamax", o, Decay::coupled,
                {{.name = "adamax", .slots = {{"m", 0.0}, {"n", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> adamax_methods() {
  return {
      row(adamax, {.name = "adamax",
                   .summary = "Adam with the largest recent gradient in place of the root mean square",
                   .formula = "m = beta1 m + (1 - beta1) g; n = max(beta2 n, |g| + eps); x -= lr m/(1 - beta1^t) / n",
                   .when = "sparse or heavy-tailed gradients, embeddings",
                   .source = "Kingma and Ba 2015, section 7; as PyTorch's Adamax"})};
}

}  // namespace thalweg::optim
