// Hypergradient descent: gradient descent on the learning rate itself (Baydin et al. 2018).

#include "optim/row.hpp"
#include "optim/total_norm.hpp"
#include "thalweg/adaptive_rates.hpp"

namespace thalweg::optim {

Fields fields(HypergradientOptions& o) {
  return framed_fields(
      o, coupled_doc,
      {{"hyper_lr", &o.hyper_lr,
        "step size for the learning rate; where multiplicative, the largest relative change in a step", not_negative},
       {.name = "method",
        .place = &o.method,
        .doc = "the method that gives the direction of a step",
        .choices = {"sgd", "adam"}},
       {"multiplicative", &o.multiplicative,
        "the learning rate changes by a fraction of itself, whatever the size of the gradient; otherwise by hyper_lr "
        "<g, direction>"},
       {"trust", &o.trust,
        "longest step, as a fraction of the norm of all parameters; the learning rate falls to this limit at once, so "
        "a first lr that is far too high does no harm; 0 is no limit",
        not_negative},
       {"beta1", &o.beta1, "decay of Adam's running mean of gradients", below_one},
       {"beta2", &o.beta2, "decay of Adam's running mean of squared gradients", below_one},
       {"eps", &o.eps, "added to the root in Adam's denominator", not_negative}});
}

namespace {

/// The cosine of the angle between the gradient and the last direction; 0 where one of them is 0.
Var cosine(Update& u) {
  const Var g = u.gradient / unit_of(u, u.gradient), d = u["direction"] / unit_of(u, u["direction"]);
  const Var lengths = sqrt(u.total(square(g))) * sqrt(u.total(square(d)));
  return where(lengths > 0, u.total(g * d) / lengths, 0);
}

/// The learning rate of this step, from the learning rate of the last step.
Var stepped_rate(Update& u, const HypergradientOptions& o) {
  const Var step = u.scalar("hyper_lr", o.hyper_lr);
  if (o.multiplicative) return u["rate"] * (1 + step * cosine(u));
  return maximum(u["rate"] + step * u.total(u.gradient * u["direction"]), 0);
}

Var adam_direction(Update& u, const HypergradientOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  return u["m"] / (1 - pow(b1, t)) / (sqrt(u["v"]) / sqrt(1 - pow(b2, t)) + u.scalar("eps", o.eps));
}

/// The learning rate that gives the longest step allowed.
Var trusted_rate(Update& u, const HypergradientOptions& o) {
  const Var length = maximum(total_norm(u, u.parameter), 1e-3);
  return u.scalar("trust", o.trust) * length / maximum(total_norm(u, u["direction"]), 1e-30);
}

Var direction(Update& u, const HypergradientOptions& o) {
  Var rate = stepped_rate(u, o);
  u["direction"] = o.method == "adam" ? adam_direction(u, o) : u.gradient;
  if (o.trust > 0) rate = minimum(rate, trusted_rate(u, o));
  u["rate"] = rate;
  return u.scalar("lr", o.lr) / o.lr * rate * u["direction"];
}

}  // namespace

Optimizer hypergradient(HypergradientOptions o) {
  std::vector<Slot> slots = {{.name = "direction"}, {"rate", o.lr, Slot::Kind::scalar}};
  if (o.method == "adam") slots.insert(slots.end(), {{.name = "m"}, {.name = "v"}});
  return framed("hypergradient", o, Decay::coupled,
                {{.name = "hypergradient", .slots = std::move(slots), .rule = with(direction, o), .lr = o.lr}});
}

std::vector<OptimizerRow> hypergradient_methods() {
  return {
      row(hypergradient,
          {.name = "hypergradient",
           .summary = "gradient descent or Adam with gradient descent on the learning rate itself",
           .formula = "rate *= 1 + hyper_lr <g, d'> / (|g| |d'|), d' the last direction; x -= rate d, with d = g "
                      "or Adam's",
           .when = "where the order of magnitude of the learning rate is not known, and a search for it costs too much",
           .source = "Baydin et al. 2018",
           .passes = 5})};
}

}  // namespace thalweg::optim
