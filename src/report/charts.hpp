#pragma once
// Charts of the course of a run.

#include <string>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

/// Charts of the loss and the first metric, of rate and gradient norm, of the other metrics, and of the gradients of
/// the layers. With several objectives, `objectives` has their names, and one chart shows all their losses.
[[nodiscard]] std::string charts_html(const History& history, const std::vector<std::string>& objectives);

}  // namespace thalweg
