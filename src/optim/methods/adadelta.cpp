// Adadelta: steps in the units of the parameters, without a learning rate to tune (Zeiler 2012; as PyTorch's
// Adadelta).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdadeltaOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"rho", &o.rho, "decay of both running means", below_one},
                        {"eps", &o.eps, "added below both roots; sets the size of the first steps", positive}});
}

namespace {

Var direction(Update& u, const AdadeltaOptions& o) {
  const Var rho = u.scalar("rho", o.rho), eps = u.scalar("eps", o.eps);
  u["v"] = running_mean(u["v"], square(u.gradient), rho);
  const Var step = sqrt(u["d"] + eps) / sqrt(u["v"] + eps) * u.gradient;
  u["d"] = running_mean(u["d"], square(step), rho);
  return step;
}

}  // namespace

Optimizer adadelta(AdadeltaOptions o) {
  return framed("adadelta", o, Decay::coupled,
                {{.name = "adadelta", .slots = {{"v", 0.0}, {"d", 0.0}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> adadelta_methods() {
  return {row(
      adadelta,
      {.name = "adadelta",
       .summary = "steps in the units of the parameters, without a learning rate to tune",
       .formula = "v = rho v + (1 - rho) g^2; s = sqrt(d + eps)/sqrt(v + eps) g; d = rho d + (1 - rho) s^2; x -= lr s",
       .when = "where the learning rate cannot be tuned; it starts slowly",
       .source = "Zeiler 2012; as PyTorch's Adadelta"})};
}

}  // namespace thalweg::optim
