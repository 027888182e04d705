#pragma once
// The course of a run in charts.

#include <string>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

/// The loss and the first metric, what drove them, then the other metrics, and the layers' gradients. Of several
/// objectives, which are named, the losses of all in one chart.
[[nodiscard]] std::string charts_html(const History& history, const std::vector<std::string>& objectives);

}  // namespace thalweg
