// FTRL: follow the regularised leader, for each coordinate: AdaGrad's learning rates, and parameters that are exactly 0
// (McMahan et al. 2013, algorithm 1).

#include <limits>

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(FtrlOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"beta", &o.beta, "lowers the first learning rates: lr / (beta + sqrt(n))", not_negative},
                        {"l1", &o.l1, "strength of the penalty |x|, which makes parameters exactly 0", not_negative},
                        {"l2", &o.l2, "strength of the penalty x^2 / 2", not_negative}});
}

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Var direction(Update& u, const FtrlOptions& o) {
  const Var lr = u.scalar("lr", o.lr), beta = u.scalar("beta", o.beta), x = u.parameter;
  const Var l1 = u.scalar("l1", o.l1), l2 = u.scalar("l2", o.l2);
  const Var moves = lr > 0;  // a schedule may start at 0: such a step changes nothing
  const Var rate = where(moves, lr, 1), is_first = equal(u["last_lr"], 0);
  const Var start = where(is_first, -x * (beta / rate + l2) - sign(x) * l1, u["z"]);
  // an element whose square overflows counts as 0: its rate would be 0, and infinite stiffness would make x NaN
  const Var overflows = equal(u["n"] + square(u.gradient), infinity) * (abs(u.gradient) < infinity);
  const Var g = where(overflows, 0, u.gradient), n = u["n"] + square(g);
  const Var stiffness = (beta + sqrt(n)) / rate;
  const Var last_stiffness = (beta + sqrt(u["n"])) / where(is_first, rate, u["last_lr"]);
  const Var z = start + g - (stiffness - last_stiffness) * x;
  u["z"] = where(moves, z, u["z"]);
  u["n"] = where(moves, n, u["n"]);
  u["last_lr"] = where(moves, lr, u["last_lr"]);
  const Var beyond = z - clamp(z, -l1, l1);
  return where(moves, x + beyond / (stiffness + l2), 0);
}

}  // namespace

Optimizer ftrl(FtrlOptions o) {
  return framed("ftrl", o, Decay::own,
                {{.name = "ftrl",
                  .slots = {{"z", 0.0}, {"n", 0.0}, {"last_lr", 0.0, Slot::Kind::scalar}},
                  .rule = with(direction, o),
                  .lr = o.lr}});
}

std::vector<OptimizerRow> ftrl_methods() {
  return {row(ftrl, {.name = "ftrl",
                     .summary = "follow the regularised leader, for each coordinate: AdaGrad's learning rates, and "
                                "parameters that are exactly 0",
                     .formula = "z += g - (sqrt(n + g^2) - sqrt(n))/lr x; n += g^2; x = -(z - sign(z) l1)/((beta "
                                "+ sqrt(n))/lr + l2), 0 where |z| <= l1",
                     .when = "linear models with very many sparse features",
                     .source = "McMahan et al. 2013, algorithm 1"})};
}

}  // namespace thalweg::optim
