#pragma once
// Measures how well a model orders pairs of which one member was preferred.

#include <span>
#include <string>

#include "thalweg/system.hpp"

namespace thalweg {

/// A margin is the amount by which the model rates the preferred member of a pair higher. The metrics: the fraction of
/// margins above 0 under the name `right`, where a margin of 0 counts half, and the mean of -log sigmoid(margin) as
/// "log loss".
[[nodiscard]] Metrics margin_metrics(std::span<const double> margins, std::string right);

}  // namespace thalweg
