#pragma once
// The course of a run in charts.

#include <string>

#include "thalweg/train.hpp"

namespace thalweg {

/// The loss and the first metric, what drove them, then the other metrics, and the layers' gradients.
[[nodiscard]] std::string charts_html(const History& history);

}  // namespace thalweg
