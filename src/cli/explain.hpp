#pragma once
// Explains the first steps of a walk with all their numbers.

#include "cli/target.hpp"

namespace thalweg::cli {

/// For each step: the formulas of the gradient, of each slot of the method and of the update, first with symbols and
/// then with numbers. The formulas come from the graphs of the function and of the rule, so every method has them.
[[nodiscard]] std::string explained(const Target& target, const Optimizer& method, const MinimizeOptions& options,
                                    std::int64_t steps);

}  // namespace thalweg::cli
