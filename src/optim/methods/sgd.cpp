// Stochastic gradient descent with momentum, plain or Nesterov's (Robbins and Monro 1951; Polyak 1964; as PyTorch's
// SGD).

#include "optim/row.hpp"

namespace thalweg::optim {

Transform scale_by_momentum(double momentum, double dampening, bool nesterov) {
  return {.name = "momentum", .slots = {{"buffer", 0.0}}, .rule = [=](Update& u) {
            const Var mu = u.scalar("momentum", momentum);
            // the first step takes the gradient as it is
            const Var share =
                dampening == 0 ? Var{} : where(equal(u.step(), 1), 1, 1 - u.scalar("dampening", dampening));
            u["buffer"] = mu * u["buffer"] + (share.defined() ? share * u.gradient : u.gradient);
            return nesterov ? u.gradient + mu * u["buffer"] : u["buffer"];
          }};
}

Fields fields(SgdOptions& o) {
  return framed_fields(
      o, coupled_doc,
      {{"momentum", &o.momentum, "fraction of the last direction that is kept", below_one},
       {"dampening", &o.dampening, "fraction of the gradient that is left out of the buffer", unit_interval},
       {"nesterov", &o.nesterov, "Nesterov momentum"}});
}

Optimizer sgd(SgdOptions o) {
  if (o.nesterov && (o.momentum == 0 || o.dampening != 0)) {
    fail_option("nesterov",
                "[sgd] nesterov with momentum = {} and dampening = {}. Hint: it needs momentum, and no dampening.",
                o.momentum, o.dampening);
  }
  std::vector<Transform> method;
  if (o.momentum > 0) method.push_back(scale_by_momentum(o.momentum, o.dampening, o.nesterov));
  return framed("sgd", o, Decay::coupled, std::move(method));
}

std::vector<OptimizerRow> sgd_methods() {
  return {row(sgd, {.name = "sgd",
                    .summary = "gradient descent with momentum",
                    .formula = "g += weight_decay x; buffer = momentum buffer + (1 - dampening) g; x -= lr buffer",
                    .when = "convex problems, and deep networks where there is time to tune the learning rate",
                    .source = "Robbins and Monro 1951; Polyak 1964; as PyTorch's SGD"})};
}

}  // namespace thalweg::optim
