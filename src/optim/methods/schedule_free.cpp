// Schedule-free SGD and AdamW: a running mean of the parameters takes the place of a schedule (Defazio et al. 2024, as
// its reference implementation).

#include "optim/row.hpp"

namespace thalweg::optim {

namespace {

/// The learning rate at this step, and the weight of this step's z in the mean.
struct Pace {
  Var rate, weight;
};

Pace pace(Update& u, const Var& lr, std::int64_t warmup) {
  const Var rate = warmup > 0 ? lr * minimum(1, u.step() / static_cast<double>(warmup)) : lr;
  u["lr_max"] = maximum(u["lr_max"], rate);
  const Var weight = square(u["lr_max"]);
  u["weights"] = u["weights"] + weight;
  return {rate, where(u["weights"] > 0, weight / u["weights"], 0)};
}

/// Moves z and y, the parameters that are trained, against `direction`.
Var move(Update& u, Pace p, const Var& momentum, const Var& direction) {
  const Var y = u.parameter, z = u["z"];
  u["z"] = z - p.rate * direction;
  return y - (y + p.weight * (z - y) + p.rate * (momentum * (1 - p.weight) - 1) * direction);
}

/// y = momentum x + (1 - momentum) z, solved for x.
UpdateRule mean_of_path(std::string momentum, double value) {
  return [=](Update& u) {
    const Var mu = u.scalar(momentum, value);
    return (u.parameter - (1 - mu) * u["z"]) / mu;
  };
}

template <class Options>
Transform schedule_free(std::string name, const Options& o, std::string momentum, double value,
                        Var (*rule)(Update&, const Options&)) {
  return {.name = std::move(name),
          .slots = {{.name = "z", .kind = Slot::Kind::copy},
                    {"lr_max", 0.0, Slot::Kind::scalar},
                    {"weights", 0.0, Slot::Kind::scalar}},
          .rule = with(rule, o),
          .evaluation = mean_of_path(std::move(momentum), value),
          .lr = o.lr};
}

Var sgd_direction(Update& u, const ScheduleFreeSgdOptions& o) {
  return move(u, pace(u, u.scalar("lr", o.lr), o.warmup), u.scalar("momentum", o.momentum), u.gradient);
}

Var adamw_direction(Update& u, const ScheduleFreeAdamwOptions& o) {
  const Var b2 = u.scalar("beta2", o.beta2);
  const Pace p = pace(u, u.scalar("lr", o.lr) * sqrt(1 - pow(b2, u.step())), o.warmup);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  const Var scaled = u.gradient / (sqrt(u["v"]) + u.scalar("eps", o.eps));
  const Var decay = u.weight_decay(o.weight_decay);
  return move(u, p, u.scalar("beta1", o.beta1), decay.defined() ? scaled + decay * u.parameter : scaled);
}

constexpr Range inside{.low = 0, .high = 1, .low_open = true, .high_open = true};

}  // namespace

Fields fields(ScheduleFreeSgdOptions& o) {
  return framed_fields(o, coupled_doc,
                       {{"momentum", &o.momentum, "weight of the mean x in y; z has the rest", inside},
                        {"warmup", &o.warmup, "steps over which lr rises from 0", not_negative}});
}

Fields fields(ScheduleFreeAdamwOptions& o) {
  return framed_fields(o, "decoupled: lr weight_decay y is subtracted from y and z",
                       {{"beta1", &o.beta1, "weight of the mean x in y; z has the rest", inside},
                        {"beta2", &o.beta2, "decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "added to the root, against division by zero", not_negative},
                        {"warmup", &o.warmup, "steps over which lr rises from 0", not_negative}});
}

Optimizer schedule_free_sgd(ScheduleFreeSgdOptions o) {
  return framed("schedule_free_sgd", o, Decay::coupled,
                {schedule_free("schedule_free", o, "momentum", o.momentum, sgd_direction)});
}

Optimizer schedule_free_adamw(ScheduleFreeAdamwOptions o) {
  Transform method = schedule_free("schedule_free", o, "beta1", o.beta1, adamw_direction);
  method.slots.push_back({"v", 0.0});
  return framed("schedule_free_adamw", o, Decay::own, {std::move(method)});
}

std::vector<OptimizerRow> schedule_free_methods() {
  return {row(schedule_free_sgd,
              {.name = "schedule_free_sgd",
               .summary = "gradient descent in which a running mean of the parameters takes the place of a schedule",
               .formula = "z -= lr g(y); x += c (z - x), c = lr_max^2 over its sum; y = momentum x "
                          "+ (1 - momentum) z; evaluated at x",
               .when = "where the length of the run is not known",
               .source = "Defazio et al. 2024, as its reference implementation"}),
          row(schedule_free_adamw,
              {.name = "schedule_free_adamw",
               .summary = "AdamW in which a running mean of the parameters takes the place of a schedule",
               .formula = "z -= lr sqrt(1 - beta2^t) (g(y)/(sqrt(v) + eps) + weight_decay y); x += c (z - x), c = "
                          "lr_max^2 over its sum; y = beta1 x + (1 - beta1) z; evaluated at x",
               .when = "where the length of the run is not known",
               .source = "Defazio et al. 2024, as its reference implementation"})};
}

}  // namespace thalweg::optim
