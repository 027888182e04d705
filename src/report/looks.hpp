#pragma once
// Charts of the looks at a run.

#include <string>
#include <vector>

#include "insight/look.hpp"

namespace thalweg {

/// Noise scale, signal to noise, the updates of the layers divided by their weights, sharpness if it was measured, and
/// the effective rates of the parameters. Empty without looks.
[[nodiscard]] std::string looks_html(const std::vector<Look>& looks);

}  // namespace thalweg
