#pragma once
// Layers that no gradient reaches: from the start, or because the steps killed their units.

#include <optional>

#include "insight/attempts.hpp"

namespace thalweg {

/// How many layers are silent at the end of a run that is no better than the best constant, and were at its start.
[[nodiscard]] std::optional<Finding> dead_gradients(const Case& run);
/// How many are at the end, and were not at the start.
[[nodiscard]] std::optional<Finding> died_on_the_way(const Case& run);

}  // namespace thalweg
