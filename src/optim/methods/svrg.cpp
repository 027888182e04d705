// SVRG: another method on gradients whose noise vanishes as it converges (Johnson and Zhang 2013).

#include "optim/asks.hpp"
#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(SvrgOptions& o) {
  return {{"optimizer", &o.optimizer, "the method that takes the steps: { kind = \"sgd\", lr = 0.1 }"},
          {"every", &o.every, "steps between two gradients over all rows; 0 is an epoch", not_negative}};
}

Optimizer svrg(Optimizer base, std::int64_t every) {
  Optimizer result = asking(std::move(base), {.anchored = true, .anchor_every = every}, "svrg");
  result.chain.insert(result.chain.begin(),
                      Transform{.name = "svrg", .slots = {{.name = "anchor"}, {.name = "mean"}}, .needs_method = true});
  OptionMap inner = std::move(result.options);
  inner["kind"] = {result.name};
  result.options = {{"optimizer", {std::move(inner)}}, {"every", {every}}};
  result.name = "svrg";
  return result;
}

Optimizer svrg(SvrgOptions o) {
  check_fields(fields(o), "svrg");
  return svrg(in_option("optimizer", [&] { return make_optimizer(o.optimizer); }), o.every);
}

std::vector<OptimizerRow> svrg_methods() {
  return {
      row<SvrgOptions>(svrg, {.name = "svrg",
                              .summary = "another method on gradients whose noise vanishes as it converges",
                              .formula = "the method's step with g(x) - g(a) + mean g(a): the first two over the "
                                         "batch, the mean over all rows; a = x every so many steps",
                              .when = "convex and smooth losses to many digits, for models without dropout and batch "
                                      "statistics; a step takes two gradients, and an epoch one more over all rows",
                              .source = "Johnson and Zhang 2013, option I",
                              .needs = {Need::gradient, Need::gradient}})};
}

}  // namespace thalweg::optim
