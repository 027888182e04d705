// Rprop: a step size for each parameter, from the signs of its gradients alone (Riedmiller and Braun 1993; as PyTorch's
// Rprop).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(RpropOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"shrink", &o.shrink, "factor of the step size where the gradient changes its sign", below_one},
                        {"grow", &o.grow, "factor of the step size where the gradient keeps its sign", {.low = 1}},
                        {"min_step", &o.min_step, "smallest step size", not_negative},
                        {"max_step", &o.max_step, "largest step size", positive}});
}

namespace {

Var direction(Update& u, const RpropOptions& o) {
  const Var turn = u.gradient * u["last"];
  const Var factor = where(turn > 0, o.grow, where(turn < 0, o.shrink, 1));
  u["step"] = clamp(factor * u["step"], o.min_step, o.max_step);
  u["last"] = where(turn < 0, 0, u.gradient);  // after a change of sign the next step keeps its size
  return sign(u["last"]) * u["step"] * (u.scalar("lr", o.lr) / o.lr);
}

}  // namespace

Optimizer rprop(RpropOptions o) {
  return framed("rprop", o, Decay::coupled,
                {{.name = "rprop", .slots = {{"last", 0.0}, {"step", o.lr}}, .rule = with(direction, o), .lr = o.lr}});
}

std::vector<OptimizerRow> rprop_methods() {
  return {
      row(rprop, {.name = "rprop",
                  .summary = "a step size for each parameter, from the signs of its gradients alone",
                  .formula = "step *= grow where g keeps its sign, shrink where g changes its sign; x -= step sign(g)",
                  .when = "gradients over the whole training set, without noise",
                  .source = "Riedmiller and Braun 1993; as PyTorch's Rprop"})};
}

}  // namespace thalweg::optim
