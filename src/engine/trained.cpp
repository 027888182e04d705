#include "engine/trained.hpp"

#include <algorithm>

#include "optim/update.hpp"

namespace thalweg {

bool steps(const Optimizer& optimizer, const ParameterEntry& entry) {
  const auto group = std::ranges::find_if(
      optimizer.groups, [&](const ParameterGroup& candidate) { return matches(candidate.pattern, entry.name); });
  return group == optimizer.groups.end() || !group->frozen;
}

Layout trained_part(const Layout& state, const std::function<bool(const ParameterEntry&)>& is_trained) {
  Layout part = state;
  part.trained_size = 0;
  for (ParameterEntry& entry : part.entries) {
    entry.frozen = entry.frozen || !is_trained(entry);
    if (!entry.frozen) part.trained_size += entry.shape.size();
  }
  return part;
}

Layout stepped_part(const Optimizer& optimizer, const Layout& layout) {
  return trained_part(layout, [&](const ParameterEntry& entry) { return steps(optimizer, entry); });
}

StepLayout step_layout(const Layout& state, std::vector<Layout> objectives) {
  StepLayout step;
  for (Layout& layout : objectives) {
    const std::int64_t size = layout.trained_size;
    step.objectives.push_back({std::move(layout), step.statistics_at});
    step.statistics_at += size;
  }
  step.size = step.statistics_at + state.statistics_size;
  return step;
}

}  // namespace thalweg
