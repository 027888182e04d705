// FTRL: follow the regularised leader, a coordinate at a time: AdaGrad's rates and exact zeros (McMahan et al. 2013,
// algorithm 1).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(FtrlOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"beta", &o.beta, "lowers the first rates: lr / (beta + sqrt(n))", not_negative},
                        {"l1", &o.l1, "strength of |x|: sets parameters to 0", not_negative},
                        {"l2", &o.l2, "strength of x^2 / 2", not_negative}});
}

namespace {

Var direction(Update& u, const FtrlOptions& o) {
  const Var lr = u.scalar("lr", o.lr), beta = u.scalar("beta", o.beta), x = u.parameter;
  const Var l1 = u.scalar("l1", o.l1), l2 = u.scalar("l2", o.l2);
  const Var z = where(equal(u.step(), 1), -x * (beta / lr + l2) - sign(x) * l1, u["z"]);
  const Var n = u["n"] + square(u.gradient);
  const Var last_lr = where(equal(u.step(), 1), lr, u["last_lr"]);
  const Var stiffness = (beta + sqrt(n)) / lr;
  u["z"] = z + u.gradient - (stiffness - (beta + sqrt(u["n"])) / last_lr) * x;
  u["n"] = n;
  u["last_lr"] = lr;
  const Var beyond = u["z"] - clamp(u["z"], -l1, l1);
  return x + beyond / (stiffness + l2);
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
  return {
      row(ftrl, {.name = "ftrl",
                 .summary = "follow the regularised leader, a coordinate at a time: AdaGrad's rates and exact zeros",
                 .formula = "z += g - (sqrt(n + g^2) - sqrt(n))/lr x; n += g^2; x = -(z - sign(z) l1)/((beta "
                            "+ sqrt(n))/lr + l2), 0 where |z| <= l1",
                 .when = "linear models with very many sparse features",
                 .source = "McMahan et al. 2013, algorithm 1"})};
}

}  // namespace thalweg::optim
