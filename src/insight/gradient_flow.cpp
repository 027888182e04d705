#include "insight/gradient_flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace thalweg {

std::string_view name(Flow flow) {
  switch (flow) {
    case Flow::vanishing: return "vanishing";
    case Flow::exploding: return "exploding";
    case Flow::healthy: return "healthy";
  }
  return "";
}

namespace {

std::optional<GradientFlow> exploding(const History& history) {
  const auto positive = std::ranges::find_if(history.steps, [](const StepReport& s) { return s.gradient_norm > 0; });
  const double first = positive == history.steps.end() ? 0 : positive->gradient_norm;
  for (const StepReport& step : history.steps) {
    if (std::isfinite(step.gradient_norm) && !(step.gradient_norm > flow_rule::exploding * first)) continue;
    const double ratio = step.gradient_norm / first;
    return GradientFlow{
        Flow::exploding, ratio,
        fmt::format("Gradients explode: the norm of the gradient is {1:.2g} in step {0}, and was {2:.2g} in the first.",
                    step.step, step.gradient_norm, first)};
  }
  return std::nullopt;
}

/// The median over the steps of the first layer's gradient norm divided by the last layer's.
double median_ratio(const History& history) {
  std::vector<double> ratios;
  for (const StepReport& step : history.steps) {
    if (step.layer_norms.empty()) continue;
    const double ratio = step.layer_norms.front() / step.layer_norms.back();
    if (std::isfinite(ratio))
      ratios.push_back(
          ratio);  // not finite where the last layer's norm is 0, or where the objective did not train it in this step
  }
  if (ratios.empty()) return 1;
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::ranges::nth_element(ratios, middle);
  return *middle;
}

}  // namespace

std::optional<GradientFlow> gradient_flow(const History& history) {
  const bool watched = std::ranges::any_of(history.steps, [](const StepReport& s) { return !s.layer_norms.empty(); });
  if (history.layers.size() < 2 || !watched) return std::nullopt;
  if (auto found = exploding(history)) return found;
  const double ratio = median_ratio(history);
  const std::string found = fmt::format("in the median step the norm of the gradient of {} is {:.2g} times that of {}.",
                                        history.layers.front(), ratio, history.layers.back());
  if (ratio < flow_rule::vanishing) return GradientFlow{Flow::vanishing, ratio, "Gradients vanish: " + found};
  return GradientFlow{Flow::healthy, ratio, "Gradients reach all layers: " + found};
}

}  // namespace thalweg
