// Signum: the sign of the momentum (Bernstein et al. 2018, algorithm 2).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(SignumOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"momentum", &o.momentum, "decay of the running mean of gradients", below_one}});
}

namespace {

Var direction(Update& u, const SignumOptions& o) {
  u["m"] = running_mean(u["m"], u.gradient, u.scalar("momentum", o.momentum));
  return sign(u["m"]);
}

}  // namespace

Optimizer signum(SignumOptions o) {
  return framed("signum", o, Decay::decoupled, {{.name = "signum", .slots = {{"m", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> signum_methods() {
  return {row(signum, {.name = "signum",
                       .summary = "the sign of the momentum",
                       .formula = "m = momentum m + (1 - momentum) g; x -= lr sign(m)",
                       .when = "gradients of very different sizes, or gradients that are sent as one bit",
                       .source = "Bernstein et al. 2018, algorithm 2"})};
}

}  // namespace thalweg::optim
