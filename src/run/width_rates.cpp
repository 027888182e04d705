#include "run/width_rates.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "options/error.hpp"

namespace thalweg {

namespace {

enum class Steps { of_equal_size, by_the_gradient };  ///< step size of each element
enum class Decay { coupled, decoupled };

/// A method with known rules.
struct Rule {
  std::string_view method;
  Steps steps = Steps::of_equal_size;
  Decay decay = Decay::decoupled;
};

constexpr Rule rules[] = {
    {.method = "sgd", .steps = Steps::by_the_gradient, .decay = Decay::coupled},
    {.method = "adam", .decay = Decay::coupled},
    {.method = "adamax", .decay = Decay::coupled},
    {.method = "nadam", .decay = Decay::coupled},
    {.method = "radam", .decay = Decay::coupled},
    {.method = "rmsprop", .decay = Decay::coupled},
    {.method = "adabelief"},
    {.method = "adamw"},
    {.method = "adan"},
    {.method = "ademamix"},
    {.method = "adopt"},
    {.method = "lion"},
    {.method = "signum"},
    {.method = "yogi"},
};

double decay_of(const Optimizer& optimizer) {
  const auto decay = optimizer.options.find("weight_decay");
  return decay == optimizer.options.end() ? 0 : *decay->second.get_if<double>();
}

/// Throws for weight decay that the method scales together with the gradient: its effect would grow with the width.
void refuse_scaled_decay(const Optimizer& optimizer, const Rule& rule) {
  if (rule.steps == Steps::by_the_gradient || rule.decay == Decay::decoupled || decay_of(optimizer) == 0) return;
  fail_option("weight_decay",
              "[{}] weight_decay = {} with parametrisation = \"mup\": it is added to a gradient that gets smaller with "
              "the width, and the sum is divided by its size, so that the effect of the decay depends on the width. "
              "Wanted: 0; or adamw, whose decay is decoupled",
              optimizer.name, decay_of(optimizer));
}

/// A group whose rate is multiplied by `factor`, and whose decay per step stays the same as without this factor.
ParameterGroup with_rate(const Optimizer& optimizer, const std::string& pattern, double factor) {
  ParameterGroup group{.pattern = pattern, .lr_factor = factor};
  if (const double decay = decay_of(optimizer); decay != 0 && factor != 1)
    group.scalars["weight_decay"] = decay / factor;
  return group;
}

}  // namespace

void add_width_rates(Optimizer& optimizer, const nn::WidthScaling& scaling) {
  if (scaling.ratio == 1) return;
  const auto* rule = std::ranges::find(rules, std::string_view(optimizer.name), &Rule::method);
  if (rule == std::end(rules))
    fail_option("parametrisation",
                "[model] parametrisation = \"mup\" with {}, for which the scaling of the rate is not known. Wanted: "
                "sgd, adamw or another variant of Adam",
                optimizer.name);
  refuse_scaled_decay(optimizer, *rule);
  const bool by_the_gradient = rule->steps == Steps::by_the_gradient;
  for (const std::string& pattern : scaling.matrices)
    optimizer.groups.push_back(with_rate(optimizer, pattern, by_the_gradient ? 1 : 1 / scaling.ratio));
  if (!by_the_gradient) return;
  for (const std::string& pattern : scaling.fixed) optimizer.groups.push_back(with_rate(optimizer, pattern, 1));
  optimizer.groups.push_back(with_rate(optimizer, "*", scaling.ratio));
}

}  // namespace thalweg
