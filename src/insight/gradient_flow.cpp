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
        fmt::format("Gradients explode: in step {} the gradient is {:.2g}, and was {:.2g} in the first.", step.step,
                    step.gradient_norm, first)};
  }
  return std::nullopt;
}

/// The median over the steps of the first layer's norm as a part of the last one's, where that is one to compare with.
double median_ratio(const History& history) {
  std::vector<double> ratios;
  for (const StepReport& step : history.steps) {
    if (step.layer_norms.empty()) continue;
    const double ratio = step.layer_norms.front() / step.layer_norms.back();
    if (std::isfinite(ratio)) ratios.push_back(ratio);  // else there was nothing to compare with, or it had no turn
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
  const std::string found = fmt::format("in the median step, that of {} has {:.2g} of the norm of that of {}.",
                                        history.layers.front(), ratio, history.layers.back());
  if (ratio < flow_rule::vanishing) return GradientFlow{Flow::vanishing, ratio, "Gradients vanish: " + found};
  return GradientFlow{Flow::healthy, ratio, "Gradients come through: " + found};
}

}  // namespace thalweg
