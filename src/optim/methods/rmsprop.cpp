// RMSprop: the gradient divided by the root of a running mean of its square (Hinton 2012 (lecture 6e); as PyTorch's
// RMSprop).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(RmspropOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"alpha", &o.alpha, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative},
                        {"momentum", &o.momentum, "fraction of the last direction that is kept", below_one},
                        {"centered", &o.centered,
                         "divide by the standard deviation: the squared running mean of g is subtracted from v"}});
}

namespace {

Var direction(Update& u, const RmspropOptions& o) {
  const Var alpha = u.scalar("alpha", o.alpha);
  Var v = u["v"] = running_mean(u["v"], square(u.gradient), alpha);
  if (o.centered) {
    u["mean"] = running_mean(u["mean"], u.gradient, alpha);
    v = v - square(u["mean"]);
  }
  const Var scaled = u.gradient / (sqrt(v) + u.scalar("eps", o.eps));
  if (o.momentum == 0) return scaled;
  return u["buffer"] = u.scalar("momentum", o.momentum) * u["buffer"] + scaled;
}

}  // namespace

Optimizer rmsprop(RmspropOptions o) {
  std::vector<Slot> slots = {{"v", 0.0}};
  if (o.centered) slots.push_back({"mean", 0.0});
  if (o.momentum > 0) slots.push_back({"buffer", 0.0});
  return framed("rmsprop", o, Decay::coupled, {{.name = "rmsprop", .slots = slots, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> rmsprop_methods() {
  return {
      row(rmsprop,
          {.name = "rmsprop",
           .summary = "the gradient divided by the root of a running mean of its square",
           .formula = "v = alpha v + (1 - alpha) g^2; buffer = momentum buffer + g / (sqrt(v) + eps); x -= lr buffer",
           .when = "recurrent networks, reinforcement learning",
           .source = "Hinton 2012 (lecture 6e); as PyTorch's RMSprop"})};
}

}  // namespace thalweg::optim
