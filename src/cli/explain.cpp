#include "cli/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/numbers.hpp"
#include "optim/descent.hpp"
#include "plan/notation.hpp"
#include "thalweg/formula.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t most_elements = 4;  // only the first numbers of a longer vector are shown

/// "symbols = numbers = value", without parts that are empty or equal to the part before.
std::string chain_of(std::initializer_list<std::string> parts) {
  std::string text;
  std::string_view last;
  for (const std::string& part : parts) {
    if (part.empty() || part == last) continue;
    text += (text.empty() ? "" : " = ") + part;
    last = part;
  }
  return text;
}

/// The formula of the gradient by each variable, for a function that has a formula.
class GradientText {
 public:
  explicit GradientText(const Target& target) : target_(target) {
    if (target.problem.formula.empty()) return;
    const Formula formula(target.problem.formula);
    for (const std::string& name : formula.variables()) variables_.push_back(graph_.input(name, {}, f64));
    gradients_ = gradients(formula.of(variables_), variables_);
  }

  std::string at(const Tensor& x, const Tensor& gradient) {
    Notation notation(graph_);
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const auto value = full({}, x.at(static_cast<std::int64_t>(i)), f64);
      notation.name(variables_[i], target_.variables[i], value);
    }
    notation.evaluate(gradients_);
    std::string text;
    for (std::int64_t i = 0; i < std::min(x.size(), most_elements); ++i) {
      const auto place = static_cast<std::size_t>(i);
      const bool known = place < gradients_.size();
      text += fmt::format("    df/d{} = {}\n", target_.variables[place],
                          chain_of({known ? notation.symbols(gradients_[place]) : "",
                                    known ? notation.numbers(gradients_[place], 0) : "", number_text(gradient.at(i))}));
    }
    return text;
  }

 private:
  const Target& target_;
  Graph graph_;
  std::vector<Var> variables_, gradients_;
};

/// The values that the rule of one step reads, and those that it writes.
struct StepValues {
  Tensor x, gradient, x_after;
  std::vector<std::pair<std::string, Tensor>> slots, slots_after;
  std::vector<double> scalars;
};

/// The rule of a method.
class RuleText {
 public:
  RuleText(const Target& target, const Optimizer& method)
      : target_(target), traced_(trace_update(method, layout_of_one(target.x0))) {
    std::ranges::sort(traced_.outputs, {}, [](const Bound& bound) { return bound.var.index(); });
    for (const UpdateSlot& slot : traced_.slots) ++uses_[short_name(slot.name)];
    for (std::size_t i = scalar_lr; i < traced_.scalars.size(); ++i) ++uses_[short_name(traced_.scalars[i].name)];
  }

  std::string of(const StepValues& values) {
    Notation notation(*traced_.graph);
    for (const Bound& input : traced_.inputs) name_input(notation, input, values);
    std::set<int> given;  // a rule need not change every slot
    for (const Bound& input : traced_.inputs) given.insert(input.var.index());
    std::vector<Var> results;
    for (const Bound& output : traced_.outputs) results.push_back(output.var);
    notation.evaluate(results);
    std::string text;
    for (const Bound& output : traced_.outputs) {
      const bool parameters = output.place.base == UpdateBases::parameters;
      const std::size_t slot = parameters ? 0 : slot_of(output);
      const std::string name = (parameters ? "x" : symbol(traced_.slots[slot].name)) + "'";
      const Tensor& value = parameters ? values.x_after : values.slots_after[slot].second;
      text += assignment(notation, output.var, name, value);
      if (!given.contains(output.var.index())) notation.name(output.var, name, value);
    }
    return text;
  }

 private:
  static std::size_t slot_of(const Bound& bound) {
    return static_cast<std::size_t>(bound.place.base - UpdateBases::first_slot);
  }
  static std::string short_name(const std::string& name) { return name.substr(name.rfind('.') + 1); }

  /// "m" for "adam.m", if no other transform has an m.
  [[nodiscard]] std::string symbol(const std::string& name) const {
    return uses_.at(short_name(name)) == 1 ? short_name(name) : name;
  }

  void name_input(Notation& notation, const Bound& input, const StepValues& values) const {
    if (input.place.base == UpdateBases::parameters) return notation.name(input.var, "x", values.x);
    if (input.place.base == UpdateBases::gradient) return notation.name(input.var, "g", values.gradient);
    if (input.place.base != UpdateBases::scalars) {
      const std::size_t slot = slot_of(input);
      return notation.name(input.var, symbol(traced_.slots[slot].name), values.slots[slot].second);
    }
    const auto scalar = static_cast<std::size_t>(input.place.offset) / sizeof(double);
    if (scalar == scalar_inverse_weight) return notation.number(input.var, 1);
    const std::string name = scalar == scalar_step            ? "t"
                             : scalar == scalar_gradient_norm ? "|g|"
                                                              : symbol(traced_.scalars[scalar].name);
    notation.name(input.var, name, full({}, values.scalars[scalar], f64));
  }

  [[nodiscard]] std::string assignment(const Notation& notation, Var var, const std::string& name,
                                       const Tensor& value) const {
    const std::string formula = notation.symbols(var), line = "    " + name + (formula.empty() ? "" : " = " + formula);
    if (value.size() == 1) {
      return fmt::format("{} = {}\n", line, chain_of({notation.numbers(var, 0), number_text(value.at(0))}));
    }
    std::string text = line + "\n";
    for (std::int64_t i = 0; i < std::min(value.size(), most_elements); ++i) {
      text += fmt::format("      {}: {}\n", target_.variables[static_cast<std::size_t>(i)],
                          chain_of({notation.numbers(var, i), number_text(value.at(i))}));
    }
    return text;
  }

  const Target& target_;
  TracedUpdate traced_;
  std::map<std::string, int> uses_;
};

std::string place_text(const Target& target, const Tensor& x) {
  std::string text;
  for (std::int64_t i = 0; i < std::min(x.size(), most_elements); ++i) {
    text +=
        fmt::format("{}{} = {}", i ? ", " : "", target.variables[static_cast<std::size_t>(i)], number_text(x.at(i)));
  }
  return text + (x.size() > most_elements ? ", ..." : "");
}

}  // namespace

std::string explained(const Target& target, const Optimizer& method, const MinimizeOptions& options,
                      std::int64_t steps) {
  const Slope slope(target.problem.function, target.x0);
  Descent descent(method, target.x0);
  GradientText gradient_text(target);
  RuleText rule_text(target, method);
  Tensor x = target.x0, gradient(x.shape(), x.dtype());
  keep_inside(x, options);
  std::string text = "g is the gradient, x the point, t the step; a ' marks the new values.\n";
  for (std::int64_t step = 0; step < std::min(steps, options.max_steps); ++step) {
    const double value = slope(x, gradient);
    StepValues values{
        .x = x, .gradient = gradient, .x_after = {}, .slots = descent.slots(), .slots_after = {}, .scalars = {}};
    const double lr = descent.step(x, gradient, norm_of(gradient), {step, options.max_steps, options.max_steps, 1});
    values.x_after = x;
    values.slots_after = descent.slots();
    values.scalars = descent.scalars();
    text += fmt::format("\nstep {}: {}, f = {}\n  gradient\n{}", step + 1, place_text(target, values.x),
                        number_text(value), gradient_text.at(values.x, values.gradient));
    text += fmt::format("  {}, t = {}, lr = {}\n{}", method.name, step + 1, number_text(lr), rule_text.of(values));
    keep_inside(x, options);
    if (!identical(x, values.x_after)) text += fmt::format("    into the bounds: {}\n", place_text(target, x));
  }
  return text;
}

}  // namespace thalweg::cli
