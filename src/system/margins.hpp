#pragma once
// How well pairs are ordered, of which one was preferred.

#include <span>
#include <string>

#include "thalweg/system.hpp"

namespace thalweg {

/// Of margins, by how much the preferred one of each pair is held to be better: the part of them that are above 0 under
/// the name `right`, where 0 counts half, and the mean of -log sigmoid(margin) as "log loss".
[[nodiscard]] Metrics margin_metrics(std::span<const double> margins, std::string right);

}  // namespace thalweg
