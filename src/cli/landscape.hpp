#pragma once
// The path of a walk over the contours of a function of two variables.

#include "cli/target.hpp"

namespace thalweg::cli {

/// Throws UsageError if the function does not have two dimensions.
void expect_plane(const Target& target);

/// `path` is x, y, x, y, ... from the start to the end.
[[nodiscard]] std::string landscape_svg(const Target& target, const std::vector<double>& path,
                                        const std::string& method);

}  // namespace thalweg::cli
