// Averages of the parameters over steps.

#include "optim/row.hpp"

namespace thalweg::optim {

namespace {

/// 1 where `steps` is a multiple of `every`.
Var falls_on(const Var& steps, std::int64_t every) {
  if (every == 1) return equal(steps, steps);
  const auto period = static_cast<double>(every);
  return equal(steps - period * floor(steps / period), 0);
}

void check_period(std::string_view where, std::int64_t every) {
  if (every < 1) fail_option("every", "[{}] every = {}. Wanted: >= 1", where, every);
}

Transform averaging(std::string name, UpdateRule after) {
  return {.name = std::move(name),
          .slots = {{.name = "average", .kind = Slot::Kind::copy}},
          .after = std::move(after),
          .evaluation = [](Update& u) { return u["average"]; }};
}

}  // namespace

Transform average_exponential(double decay) {
  if (!unit_interval.contains(decay))
    fail<UsageError>("[average_exponential] decay = {}. Wanted: {}", decay, unit_interval.str());
  return averaging("average_exponential", [=](Update& u) {
    u["average"] = running_mean(u["average"], u.parameter, u.scalar("decay", decay));
    return u.parameter;
  });
}

Transform average_mean(std::int64_t start, std::int64_t every) {
  check_period("average_mean", every);
  return averaging("average_mean", [=](Update& u) {
    const Var since = u.step() - static_cast<double>(start);
    const Var count = floor(maximum(since, 0) / static_cast<double>(every)) + 1;
    const Var next = u["average"] + (u.parameter - u["average"]) / count;
    u["average"] = where((since > 0) * falls_on(since, every), next, where(since > 0, u["average"], u.parameter));
    return u.parameter;
  });
}

Transform look_ahead(std::int64_t every, double mix) {
  check_period("look_ahead", every);
  return {.name = "look_ahead", .slots = {{.name = "slow", .kind = Slot::Kind::copy}}, .after = [=](Update& u) {
            const Var meets = falls_on(u.step(), every);
            u["slow"] = where(meets, u["slow"] + u.scalar("mix", mix) * (u.parameter - u["slow"]), u["slow"]);
            return where(meets, u["slow"], u.parameter);
          }};
}

}  // namespace thalweg::optim
