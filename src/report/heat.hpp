#pragma once
// Draws the gradient norms of the layers as a picture: steps from left to right, layers from top to bottom, norms as
// colours.

#include <string>
#include <string_view>

#include "thalweg/train.hpp"

namespace thalweg {

/// A figure of the recorded norms of a history; empty if there are none. All figures use the same colours: 1e-8 is
/// dark, 1 is pale, 1e4 is red.
[[nodiscard]] std::string heat_html(const History& history, std::string_view title);

}  // namespace thalweg
