// LARS: momentum with a learning rate for each parameter tensor, from the ratio of norms (You, Gitman and Ginsburg
// 2017, algorithm 1).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(LarsOptions& o) {
  return framed_fields(
      o, coupled_doc,
      {{"momentum", &o.momentum, "fraction of the last step that is kept", below_one},
       {"trust", &o.trust, "length of a step of a parameter, relative to the parameter's norm", positive}});
}

namespace {

Var direction(Update& u, const LarsOptions& o) {
  const Var decay = u.weight_decay(o.weight_decay);
  const Var size = norm(u.parameter), slope = norm(u.gradient);
  const Var below = decay.defined() ? slope + decay * size : slope;
  const Var rate = where((size > 0) * (slope > 0), u.scalar("trust", o.trust) * size / below, 1);
  const Var g = decay.defined() ? u.gradient + decay * u.parameter : u.gradient;
  return u["buffer"] = u.scalar("momentum", o.momentum) * u["buffer"] + u.scalar("lr", o.lr) * rate * g;
}

}  // namespace

Optimizer lars(LarsOptions o) {
  return framed(
      "lars", o, Decay::own,
      {{.name = "lars", .slots = {{"buffer", 0.0}}, .rule = with(direction, o), .per_parameter = true, .lr = o.lr}});
}

std::vector<OptimizerRow> lars_methods() {
  return {row(
      lars,
      {.name = "lars",
       .summary = "momentum with a learning rate for each parameter tensor, from the ratio of norms",
       .formula = "buffer = momentum buffer + lr trust |x|/(|g| + weight_decay |x|) (g + weight_decay x); x -= buffer",
       .when = "convolutional networks with very large batches",
       .source = "You, Gitman and Ginsburg 2017, algorithm 1",
       .passes = 0})};
}

}  // namespace thalweg::optim
