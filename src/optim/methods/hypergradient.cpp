// Hypergradient descent: the rate is stepped by its own gradient (Baydin et al. 2018).

#include "optim/row.hpp"
#include "thalweg/adaptive_rates.hpp"

namespace thalweg::optim {

Fields fields(HypergradientOptions& o) {
  return framed_fields(
      o, coupled_doc,
      {{"hyper_lr", &o.hyper_lr, "how fast the rate moves: the most that it changes by in a step, where multiplicative",
        not_negative},
       {.name = "method", .place = &o.method, .doc = "whose direction is stepped along", .choices = {"sgd", "adam"}},
       {"multiplicative", &o.multiplicative,
        "the rate changes by a part of itself, whatever the size of the gradient; else by hyper_lr <g, direction>"},
       {"trust", &o.trust,
        "longest step as a part of the norm of all parameters, to which the rate falls at once: a first rate that is "
        "far too high ruins nothing; 0 is no limit",
        not_negative},
       {"beta1", &o.beta1, "decay of Adam's running mean of gradients", below_one},
       {"beta2", &o.beta2, "decay of Adam's running mean of squared gradients", below_one},
       {"eps", &o.eps, "added to Adam's root", not_negative}});
}

namespace {

/// The rate of this step, from that of the step before.
Var stepped_rate(Update& u, const HypergradientOptions& o) {
  const Var along = u.total(u.gradient * u["direction"]), step = u.scalar("hyper_lr", o.hyper_lr);
  if (!o.multiplicative) return maximum(u["rate"] + step * along, 0);
  const Var lengths = sqrt(u.total(square(u.gradient))) * sqrt(u.total(square(u["direction"])));
  return u["rate"] * (1 + step * where(lengths > 0, along / lengths, 0));
}

Var adam_direction(Update& u, const HypergradientOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  return u["m"] / (1 - pow(b1, t)) / (sqrt(u["v"]) / sqrt(1 - pow(b2, t)) + u.scalar("eps", o.eps));
}

/// The rate whose step is as long as it may be.
Var trusted_rate(Update& u, const HypergradientOptions& o) {
  const Var length = maximum(sqrt(u.total(square(u.parameter))), 1e-3);
  return u.scalar("trust", o.trust) * length / maximum(sqrt(u.total(square(u["direction"]))), 1e-30);
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
  return {row(hypergradient,
              {.name = "hypergradient",
               .summary = "descent or Adam whose rate steps by its own gradient",
               .formula = "rate *= 1 + hyper_lr <g, d'> / (|g| |d'|), d' the direction before; x -= rate d, with d = g "
                          "or Adam's",
               .when = "a rate of the right order is not known, and a search for one costs too much",
               .source = "Baydin et al. 2018",
               .passes = 4})};
}

}  // namespace thalweg::optim
