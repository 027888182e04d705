// Prodigy: Adam whose learning rate is an estimate of the distance to the solution (Mishchenko and Defazio 2024,
// algorithm 4).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(ProdigyOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"beta3", &o.beta3, "decay of the sums of the estimate; 0 is sqrt(beta2)", below_one},
                        {"eps", &o.eps, "d eps is added to the root", not_negative},
                        {"d0", &o.d0, "initial estimate d of the distance", positive},
                        {"d_factor", &o.d_factor, "the estimate is multiplied by it", positive},
                        {"growth", &o.growth, "largest factor by which d grows in a step; 0 is no limit", not_negative},
                        {"bias_correction", &o.bias_correction, "Adam's bias correction in the first steps"},
                        {"safeguard_warmup", &o.safeguard_warmup,
                         "leave lr out of the denominator of the estimate, for schedules with a warm-up"}});
}

namespace {

void estimate_distance(Update& u, const Var& denominator, const ProdigyOptions& o) {
  const Var d = u["d"];
  const Var estimate = where(denominator > 0, o.d_factor * u["numerator"] / denominator, d);
  u["d_max"] = maximum(u["d_max"], estimate);
  const Var raised = where(d <= o.d0 * (1 + 1e-6), maximum(d, estimate), d);  // d0, rounded to the model's dtype
  u["d"] = o.growth > 0 ? minimum(u["d_max"], raised * o.growth) : u["d_max"];
}

Var direction(Update& u, const ProdigyOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step(), g = u.gradient;
  const Var b3 = o.beta3 > 0 ? u.scalar("beta3", o.beta3) : sqrt(b2);
  const Var d = u["d"], relative = d / o.d0;
  Var rate = d * u.scalar("lr", o.lr);
  if (o.bias_correction) rate = rate * sqrt(1 - pow(b2, t)) / (1 - pow(b1, t));
  u["m"] = b1 * u["m"] + d * (1 - b1) * g;
  u["v"] = b2 * u["v"] + d * d * (1 - b2) * square(g);
  u["s"] = b3 * u["s"] + relative * (o.safeguard_warmup ? d : rate) * g;
  u["numerator"] = b3 * u["numerator"] + relative * rate * u.total(g * (u["start"] - u.parameter));
  estimate_distance(u, u.total(abs(u["s"])), o);
  Var step = rate * u["m"] / (sqrt(u["v"]) + u["d"] * u.scalar("eps", o.eps));
  const Var decay = u.weight_decay(o.weight_decay);
  return decay.defined() ? step + rate * decay * u.parameter : step;
}

}  // namespace

Optimizer prodigy(ProdigyOptions o) {
  return framed("prodigy", o, Decay::own,
                {{.name = "prodigy",
                  .slots = {{"m", 0.0},
                            {"v", 0.0},
                            {"s", 0.0},
                            {.name = "start", .kind = Slot::Kind::copy},
                            {"d", o.d0, Slot::Kind::scalar},
                            {"d_max", o.d0, Slot::Kind::scalar},
                            {"numerator", 0.0, Slot::Kind::scalar}},
                  .rule = with(direction, o),
                  .lr = o.lr}});
}

std::vector<OptimizerRow> prodigy_methods() {
  return {row(prodigy, {.name = "prodigy",
                        .summary = "Adam whose learning rate is an estimate of the distance to the solution",
                        .formula = "r, s: sums of d^2 <g, x0 - x> and of d^2 g; d = max(d, r/|s|_1); Adam on d g; x -= "
                                   "lr d m/(sqrt(v) + d eps)",
                        .when = "where the learning rate cannot be tuned; keep lr = 1, with a cosine schedule",
                        .source = "Mishchenko and Defazio 2024, algorithm 4",
                        .passes = 2})};
}

}  // namespace thalweg::optim
