#pragma once
// The path of a walk over the contours of a function of two variables.

#include "cli/target.hpp"

namespace thalweg::cli {

/// `path` is x, y, x, y, ... from the start on. Throws UsageError where there are not two dimensions.
[[nodiscard]] std::string landscape_svg(const Target& target, const std::vector<double>& path,
                                        const std::string& method);

}  // namespace thalweg::cli
