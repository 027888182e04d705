// SAM: another method with gradients that are taken a little uphill (Foret et al. 2021; adaptive: Kwon et al. 2021).

#include "optim/asks.hpp"
#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(SamOptions& o) {
  return {{"optimizer", &o.optimizer, "the method that takes the steps: { kind = \"sgd\", lr = 0.1, momentum = 0.9 }"},
          {"radius", &o.radius, "how far uphill the gradient is taken; for the adaptive form choose 10 times as much",
           positive},
          {"adaptive", &o.adaptive, "measure the distance in units of |x| + floor, element by element"},
          {"floor", &o.floor, "adaptive form: added to |x|", not_negative}};
}

Optimizer sam(Optimizer base, double radius, bool adaptive, double floor) {
  Optimizer result = asking(std::move(base), {.radius = radius, .adaptive = adaptive, .floor = floor}, "sam");
  OptionMap inner = std::move(result.options);
  inner["kind"] = {result.name};
  result.options = {
      {"optimizer", {std::move(inner)}}, {"radius", {radius}}, {"adaptive", {adaptive}}, {"floor", {floor}}};
  result.name = "sam";
  return result;
}

Optimizer sam(SamOptions o) {
  check_fields(fields(o), "sam");
  return sam(in_option("optimizer", [&] { return make_optimizer(o.optimizer); }), o.radius, o.adaptive, o.floor);
}

std::vector<OptimizerRow> sam_methods() {
  return {row<SamOptions>(
      sam, {.name = "sam",
            .summary = "another method with gradients that are taken a little uphill",
            .formula = "the method's step with the gradient at x + e; e = radius g/(|g| + 1e-12), adaptive: e = radius "
                       "s^2 g/(|s g| + 1e-12), s = |x| + floor",
            .when = "networks that fit the training data but are worse on other data; a step takes two gradients",
            .source = "Foret et al. 2021; Kwon et al. 2021",
            .needs = {Need::gradient, Need::gradient}})};
}

}  // namespace thalweg::optim
