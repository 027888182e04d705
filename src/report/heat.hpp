#pragma once
// Gradients layer by layer as a picture: steps from left to right, layers from top to bottom, norms as colours.

#include <string>
#include <string_view>

#include "thalweg/train.hpp"

namespace thalweg {

/// A figure of the norms that a history recorded; empty where it has none. The colours are the same in every figure:
/// from 1e-8 (dark) over 1 (pale) to 1e4 (red).
[[nodiscard]] std::string heat_html(const History& history, std::string_view title);

}  // namespace thalweg
