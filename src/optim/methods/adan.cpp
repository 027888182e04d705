// Adan: Nesterov momentum from differences of gradients, with Adam's scaling (Xie et al. 2022, algorithm 1, with the
// bias corrections of its reference implementation).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdanOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of differences of gradients", below_one},
                        {"beta3", &o.beta3, "decay of the running mean of squares", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative}});
}

namespace {

Var direction(Update& u, const AdanOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), b3 = u.scalar("beta3", o.beta3);
  const Var t = u.step(), g = u.gradient, lr = u.scalar("lr", o.lr);
  const Var difference = where(equal(t, 1), 0, g - u["last"]);
  u["last"] = g;
  u["m"] = running_mean(u["m"], g, b1);
  u["d"] = running_mean(u["d"], difference, b2);
  u["n"] = running_mean(u["n"], square(g + b2 * difference), b3);
  const Var root = sqrt(u["n"]) * (1 / sqrt(1 - pow(b3, t))) + u.scalar("eps", o.eps);
  const Var step = lr * ((1 / (1 - pow(b1, t))) * u["m"] + b2 / (1 - pow(b2, t)) * u["d"]) / root;
  const Var decay = u.weight_decay(o.weight_decay);
  return decay.defined() ? u.parameter - (u.parameter - step) / (1 + lr * decay) : step;
}

}  // namespace

Optimizer adan(AdanOptions o) {
  return framed("adan", o, Decay::own,
                {{.name = "adan",
                  .slots = {{"m", 0.0}, {"d", 0.0}, {"n", 0.0}, {"last", 0.0}},
                  .rule = with(direction, o),
                  .lr = o.lr}});
}

std::vector<OptimizerRow> adan_methods() {
  return {row(adan,
              {.name = "adan",
               .summary = "Nesterov momentum from differences of gradients, with Adam's scaling",
               .formula = "m, d, n: running means of g, g - g_last, (g + beta2 (g - g_last))^2; x = (x - lr (m + beta2 "
                          "d)/(sqrt(n) + eps)) / (1 + lr weight_decay)",
               .when = "large networks trained for few epochs",
               .source = "Xie et al. 2022, algorithm 1, with the bias corrections of its reference implementation"})};
}

}  // namespace thalweg::optim
