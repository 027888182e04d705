// LAMB: Adam with a learning rate for each parameter tensor, from the ratio of norms (You et al. 2020, algorithm 2).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(LambOptions& o) {
  return framed_fields(o, "weight_decay x is added to Adam's direction, before the ratio of norms is taken",
                       {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative}});
}

Optimizer lamb(LambOptions o) {
  return framed("lamb", o, Decay::own,
                {scale_by_adam(o.beta1, o.beta2, o.eps), add_decayed_weights(o.weight_decay), scale_by_trust_ratio()});
}

std::vector<OptimizerRow> lamb_methods() {
  return {row(lamb, {.name = "lamb",
                     .summary = "Adam with a learning rate for each parameter tensor, from the ratio of norms",
                     .formula = "r = Adam's direction + weight_decay x; x -= lr |x|/|r| r",
                     .when = "very large batches",
                     .source = "You et al. 2020, algorithm 2",
                     .passes = 0})};
}

}  // namespace thalweg::optim
