#pragma once
// The trained parameters of each objective of a step, and the place of its gradient among the gradients of all.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

/// The block that the shards of a step add up: the gradients of the objectives, one after another, then the
/// observations of the statistics. Places and sizes are in elements.
struct StepLayout {
  struct Part {
    Layout layout;        ///< the state's, with all that this objective does not train marked as frozen
    std::int64_t at = 0;  ///< where its gradient begins; layout.trained_size is its size
  };
  std::vector<Part> objectives;
  std::int64_t statistics_at = 0, size = 0;
};

/// Whether an optimizer updates a parameter: it is in no frozen group.
[[nodiscard]] bool steps(const Optimizer& optimizer, const ParameterEntry& entry);

/// The state's layout for an objective that trains these parameters, except frozen ones.
[[nodiscard]] Layout trained_part(const Layout& state, const std::function<bool(const ParameterEntry&)>& is_trained);

/// The layout of all trained parameters without the optimizer's frozen groups.
[[nodiscard]] Layout stepped_part(const Optimizer& optimizer, const Layout& layout);

[[nodiscard]] StepLayout step_layout(const Layout& state, std::vector<Layout> objectives);

}  // namespace thalweg
