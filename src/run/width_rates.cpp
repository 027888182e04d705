#include "run/width_rates.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "options/error.hpp"

namespace thalweg {

namespace {

enum class Steps { of_equal_size, by_the_gradient };  ///< of each element

/// A method that the rules are known of.
struct Rule {
  std::string_view method;
  Steps steps = Steps::of_equal_size;
  bool decoupled_decay = false;
};

constexpr Rule rules[] = {
    {.method = "sgd", .steps = Steps::by_the_gradient},
    {.method = "adam"},
    {.method = "adamax"},
    {.method = "nadam"},
    {.method = "radam"},
    {.method = "rmsprop"},
    {.method = "adabelief", .decoupled_decay = true},
    {.method = "adamw", .decoupled_decay = true},
    {.method = "adan", .decoupled_decay = true},
    {.method = "ademamix", .decoupled_decay = true},
    {.method = "adopt", .decoupled_decay = true},
    {.method = "lion", .decoupled_decay = true},
    {.method = "signum", .decoupled_decay = true},
    {.method = "yogi", .decoupled_decay = true},
};

ParameterGroup matrices(const Optimizer& optimizer, const Rule& rule, const std::string& pattern, double ratio) {
  ParameterGroup group{.pattern = pattern};
  if (rule.steps == Steps::by_the_gradient) return group;
  group.lr_factor = 1 / ratio;
  const auto decay = optimizer.options.find("weight_decay");
  if (rule.decoupled_decay && decay != optimizer.options.end())
    group.scalars["weight_decay"] = *decay->second.get_if<double>() * ratio;
  return group;
}

}  // namespace

void add_width_rates(Optimizer& optimizer, const nn::WidthScaling& scaling) {
  if (scaling.ratio == 1) return;
  const auto* rule = std::ranges::find(rules, std::string_view(optimizer.name), &Rule::method);
  if (rule == std::end(rules))
    fail_option("parametrisation",
                "[model] parametrisation = \"mup\" with {}, of which it is not known how its rate scales. Wanted: sgd, "
                "adamw or another of Adam's kin",
                optimizer.name);
  for (const std::string& pattern : scaling.matrices)
    optimizer.groups.push_back(matrices(optimizer, *rule, pattern, scaling.ratio));
  if (rule->steps != Steps::by_the_gradient) return;
  for (const std::string& pattern : scaling.fixed) optimizer.groups.push_back({.pattern = pattern});
  optimizer.groups.push_back({.pattern = "*", .lr_factor = scaling.ratio});
}

}  // namespace thalweg
