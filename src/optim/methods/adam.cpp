// Adam (Kingma and Ba 2015) and AdamW, with decoupled weight decay (Loshchilov and Hutter 2019); both as in PyTorch.

#include "optim/row.hpp"

namespace thalweg::optim {

Transform scale_by_adam(double beta1, double beta2, double eps, bool bias_correction, bool amsgrad) {
  std::vector<Slot> slots = {{"m", 0.0}, {"v", 0.0}};
  if (amsgrad) slots.push_back({"v_max", 0.0});
  return {.name = "adam", .slots = std::move(slots), .rule = [=](Update& u) {
            const Var b1 = u.scalar("beta1", beta1), b2 = u.scalar("beta2", beta2), t = u.step();
            u["m"] = b1 * u["m"] + (1 - b1) * u.gradient;
            u["v"] = b2 * u["v"] + (1 - b2) * square(u.gradient);
            Var v = u["v"];
            if (amsgrad) v = u["v_max"] = maximum(u["v_max"], v);
            if (!bias_correction) return u["m"] / (sqrt(v) + u.scalar("eps", eps));
            const Var correction1 = 1 / (1 - pow(b1, t)), correction2 = 1 / sqrt(1 - pow(b2, t));
            return u["m"] * correction1 / (sqrt(v) * correction2 + u.scalar("eps", eps));
          }};
}

namespace {

template <class Options>
Fields adam_fields(Options& o, std::string_view decay) {
  return framed_fields(o, decay,
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative},
                        {"amsgrad", &o.amsgrad, "divide by the largest running mean so far (Reddi et al. 2018)"},
                        {"bias_correction", &o.bias_correction, "divide the running means by 1 - beta^t"}});
}

}  // namespace

Fields fields(AdamOptions& o) { return adam_fields(o, coupled_doc); }
Fields fields(AdamwOptions& o) { return adam_fields(o, decoupled_doc); }

Optimizer adam(AdamOptions o) {
  return framed("adam", o, Decay::coupled, {scale_by_adam(o.beta1, o.beta2, o.eps, o.bias_correction, o.amsgrad)});
}

Optimizer adamw(AdamwOptions o) {
  return framed("adamw", o, Decay::decoupled, {scale_by_adam(o.beta1, o.beta2, o.eps, o.bias_correction, o.amsgrad)});
}

std::vector<OptimizerRow> adam_methods() {
  return {row(adam, {.name = "adam",
                     .summary = "a learning rate for each parameter, from running means of gradients and their squares",
                     .formula = "m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; "
                                "x -= lr m/(1 - beta1^t) / (sqrt(v)/sqrt(1 - beta2^t) + eps)",
                     .when = "a good first choice where weight decay does not matter",
                     .source = "Kingma and Ba 2015; as PyTorch's Adam"}),
          row(adamw, {.name = "adamw",
                      .summary = "Adam with decoupled weight decay",
                      .formula = "x -= lr weight_decay x, then Adam",
                      .when = "the default: networks of any kind",
                      .source = "Loshchilov and Hutter 2019; as PyTorch's AdamW"})};
}

}  // namespace thalweg::optim
