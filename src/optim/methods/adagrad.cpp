// Adagrad: a learning rate for each parameter, which falls with the sum of its squared gradients (Duchi, Hazan and
// Singer 2011; as PyTorch's Adagrad).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdagradOptions& o) {
  return framed_fields(
      o, coupled_doc,
      {{"lr_decay", &o.lr_decay, "lr is divided by 1 + (t - 1) lr_decay", not_negative},
       {"initial_accumulator", &o.initial_accumulator, "initial value of the sum of squares", not_negative},
       {"eps", &o.eps, "added to the root, against division by zero", not_negative}});
}

namespace {

Var direction(Update& u, const AdagradOptions& o) {
  u["sum"] = u["sum"] + square(u.gradient);
  const Var scaled = u.gradient / (sqrt(u["sum"]) + u.scalar("eps", o.eps));
  return o.lr_decay == 0 ? scaled : scaled * (1 / (1 + (u.step() - 1) * u.scalar("lr_decay", o.lr_decay)));
}

}  // namespace

Optimizer adagrad(AdagradOptions o) {
  return framed("adagrad", o, Decay::coupled,
                {{.name = "adagrad", .slots = {{"sum", o.initial_accumulator}}, .rule = with(direction, o)}});
}

std::vector<OptimizerRow> adagrad_methods() {
  return {
      row(adagrad, {.name = "adagrad",
                    .summary = "a learning rate for each parameter, which falls with the sum of its squared gradients",
                    .formula = "sum += g^2; x -= lr/(1 + (t-1) lr_decay) g / (sqrt(sum) + eps)",
                    .when = "sparse gradients: rare words, rare categories",
                    .source = "Duchi, Hazan and Singer 2011; as PyTorch's Adagrad"})};
}

}  // namespace thalweg::optim
