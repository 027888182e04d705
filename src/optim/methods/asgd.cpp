// Averaged SGD: gradient descent with a falling learning rate, evaluated at the mean of its path (Polyak and Juditsky
// 1992).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AsgdOptions& o) {
  return framed_fields(
      o, coupled_doc,
      {{"shrink", &o.shrink, "decay of the parameters, and of lr (PyTorch's lambd)", not_negative},
       {"power", &o.power, "power with which lr falls (PyTorch's alpha)", not_negative},
       {"start", &o.start, "step at which the averaging of parameters starts (PyTorch's t0)", not_negative}});
}

Optimizer asgd(AsgdOptions o) {
  Transform method = {.name = "asgd", .slots = {{.name = "average", .kind = Slot::Kind::copy}}};
  method.rule = [=](Update& u) {
    const Var lr = u.scalar("lr", o.lr), shrink = u.scalar("shrink", o.shrink);
    const Var rate = lr / pow(1 + shrink * lr * (u.step() - 1), o.power);
    return rate * u.gradient + shrink * rate * u.parameter;
  };
  method.after = [=](Update& u) {
    const Var count = maximum(1, u.step() - 1 - o.start);
    u["average"] = where(equal(count, 1), u.parameter, u["average"] + (u.parameter - u["average"]) * (1 / count));
    return u.parameter;
  };
  method.evaluation = [](Update& u) { return u["average"]; };
  method.lr = o.lr;
  return framed("asgd", o, Decay::coupled, {std::move(method)});
}

std::vector<OptimizerRow> asgd_methods() {
  return {row(asgd, {.name = "asgd",
                     .summary = "gradient descent with a falling learning rate, evaluated at the mean of its path",
                     .formula = "x -= rate (g + shrink x), rate = lr/(1 + shrink lr (t-1))^power; "
                                "average += (x - average)/max(1, t - 1 - start)",
                     .when = "convex problems with noisy gradients",
                     .source = "Polyak and Juditsky 1992; as PyTorch's ASGD"})};
}

}  // namespace thalweg::optim
