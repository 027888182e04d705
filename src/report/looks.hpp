#pragma once
// The looks at a run, in charts.

#include <string>
#include <vector>

#include "insight/look.hpp"

namespace thalweg {

/// Noise scale, signal to noise, the updates of the layers over their weights, sharpness where it was measured, and the
/// effective rates of the parameters; empty without looks.
[[nodiscard]] std::string looks_html(const std::vector<Look>& looks);

}  // namespace thalweg
