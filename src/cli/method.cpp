#include "cli/method.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "cli/assignment.hpp"
#include "cli/target.hpp"
#include "core/error.hpp"
#include "core/numbers.hpp"
#include "optim/asks.hpp"
#include "options/text.hpp"
#include "options/toml.hpp"

namespace thalweg::cli {

Settings read_settings(const std::vector<std::string>& sets) {
  ConfigTree tree;
  set_all(tree, sets, "optimizer.beta1=0.8");
  Settings settings;
  read_fields({{"optimizer", &settings.optimizer, ""},
               {"schedule", &settings.schedule, ""},
               {"problem", &settings.problem, ""}},
              tree.values, "--set");
  return settings;
}

namespace {

/// Weight decay is 0 unless the user sets it: it pulls towards 0, which may not be the minimum of a function.
void leave_out_decay(const std::vector<OptionDoc>& docs, OptionMap& options) {
  for (const OptionDoc& doc : docs) {
    if (options.contains(doc.name)) continue;
    if (doc.name == "weight_decay") options["weight_decay"] = {0.0};
    const auto* inner = doc.initial.get_if<OptionMap>();  // the options of a method inside another method
    if (!inner || !inner->contains("kind")) continue;
    OptionMap method = *inner;
    method["weight_decay"] = {0.0};
    options[doc.name] = {std::move(method)};
  }
}

}  // namespace

Optimizer make_method(const Registry& registry, const std::string& optimizer, const Settings& settings,
                      std::optional<double> lr) {
  const OptimizerRow& row = registry.optimizer(optimizer);
  OptionMap options = settings.optimizer;
  leave_out_decay(row.options, options);
  const bool takes_lr = std::ranges::any_of(row.options, [](const OptionDoc& doc) { return doc.name == "lr"; });
  if (lr && takes_lr) options["lr"] = {*lr};
  Optimizer method = row.make(options);
  OptionMap schedule = settings.schedule;
  if (owns_steps(method) && !schedule.empty()) {
    fail<UsageError>("[{}] it finds the length of each step itself. Hint: leave out the schedule.", optimizer);
  }
  if (lr && !owns_steps(method)) method.lr = *lr;  // also for a method that wraps another
  if (const auto kind = schedule.extract("kind")) {
    const auto* name = kind.mapped().get_if<std::string>();
    if (!name)
      fail<UsageError>("[schedule] kind = {}. Wanted: a name of `thalweg list schedules`", kind.mapped().str());
    method.schedule = registry.schedule(*name).make(schedule);
    if (method.schedule.plateau()) {
      fail<UsageError>("[schedule] {} watches the epochs of a training. Hint: --schedule cosine", *name);
    }
  } else if (!schedule.empty()) {
    fail<UsageError>("[schedule] {} without a schedule. Hint: --schedule NAME", schedule.begin()->first);
  }
  return method;
}

namespace {

/// The fields of MinimizeOptions that the command line can set.
struct StoppingRules {
  std::int64_t max_steps = 0;
  double gradient_norm = 0, value_change = 0;
  OptionValue value = {std::string()}, lower = {std::string()}, upper = {std::string()};
};

Fields fields(StoppingRules& o) {
  return {
      {"max_steps", &o.max_steps, "Steps to take at most", {.low = 1}},
      {"gradient_norm", &o.gradient_norm, "Stop when the gradient's norm is at most this", not_negative},
      {"value_change", &o.value_change, "Stop when a step changes the value by at most this; 0: never", not_negative},
      {"value", &o.value, "Stop when the value is at most this"},
      {"lower", &o.lower, "Lower bounds, in the form of --x0: each step ends inside"},
      {"upper", &o.upper, "Upper bounds"}};
}

constexpr double same_place = 1e-6;  // values with a smaller relative difference belong to the same minimum

constexpr double gradient_norm_of(DType dtype) { return dtype == f32 ? 1e-4 : 1e-8; }

std::string dashed(std::string name) {
  std::ranges::replace(name, '_', '-');
  return "--" + name;
}

}  // namespace

void StoppingArguments::add_to(CLI::App& command, std::int64_t max_steps) {
  max_steps_ = max_steps;
  StoppingRules rules{.max_steps = max_steps};
  for (const Field& field : fields(rules)) {
    const std::string name(field.name), option = name == "max_steps" ? "--steps,--max-steps" : dashed(name);
    std::string doc(field.doc);
    if (name == "max_steps") doc += fmt::format(" ({})", max_steps);
    if (name == "gradient_norm")
      doc += fmt::format(" ({}; in f32 {})", number_text(gradient_norm_of(f64)), number_text(gradient_norm_of(f32)));
    command
        .add_option_function<std::string>(
            option, [this, name](const std::string& text) { given_.emplace_back(name, text); }, doc)
        ->group("Stopping")
        ->type_name(name == "lower" || name == "upper" ? "NUMBERS" : "NUMBER");
  }
}

MinimizeOptions StoppingArguments::options(const Tensor& x0) const {
  StoppingRules rules{.max_steps = max_steps_, .gradient_norm = gradient_norm_of(x0.dtype())};
  MinimizeOptions options;
  ConfigTree tree;
  for (const auto& [name, text] : given_) {
    if (name == "lower" || name == "upper") {
      (name == "lower" ? options.lower : options.upper) =
          coordinates(numbers_in(text, dashed(name).c_str()), x0.size(), x0.dtype(), dashed(name).c_str());
    } else if (name == "value") {
      options.value = coordinates(numbers_in(text, "--value"), 1, f64, "--value").item();
    } else {
      tree.set_text(name, text);
    }
  }
  read_fields(fields(rules), tree.values, "minimize");
  options.max_steps = rules.max_steps;
  options.gradient_norm = rules.gradient_norm;
  options.value_change = rules.value_change;
  for (std::int64_t i = 0; options.lower && options.upper && i < x0.size(); ++i) {
    if (options.lower->at(i) <= options.upper->at(i)) continue;
    fail<UsageError>("[minimize] lower = {} above upper = {} in dimension {}", options.lower->at(i),
                     options.upper->at(i), i);
  }
  return options;
}

std::vector<double> rate_grid(double low, double high, int a_decade) {
  std::vector<double> rates;
  const auto count = std::llround((high - low) * a_decade);
  for (std::int64_t i = 0; i <= count; ++i) {
    const double exponent = low + static_cast<double>(i) / a_decade;
    rates.push_back(parse_number(fmt::format("{:.2g}", std::pow(10, exponent))).value());  // 0.0032, not 0.00316...
  }
  return rates;
}

bool is_better(const MinimizeResult& a, const MinimizeResult& b) {
  if (a.reason == MinimizeReason::not_finite || b.reason == MinimizeReason::not_finite) {
    return a.reason != MinimizeReason::not_finite && b.reason == MinimizeReason::not_finite;
  }
  const double scale = std::max({1.0, std::abs(a.value), std::abs(b.value)});
  if (std::abs(a.value - b.value) > same_place * scale) return a.value < b.value;
  if (a.converged() != b.converged()) return a.converged();
  return a.converged() ? a.steps < b.steps : a.value < b.value;
}

}  // namespace thalweg::cli
