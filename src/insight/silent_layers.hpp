#pragma once
// Layers that no gradient reaches: from the start, or because the steps killed their units.

#include <optional>

#include "insight/attempts.hpp"

namespace thalweg {

/// The number of layers without a gradient both at the start and at the end of a run that is no better than the best
/// constant.
[[nodiscard]] std::optional<Finding> dead_gradients(const Case& run);
/// The number of layers without a gradient at the end that had one at the start.
[[nodiscard]] std::optional<Finding> died_on_the_way(const Case& run);

}  // namespace thalweg
