#pragma once
// The first steps of a walk, worked out number by number.

#include "cli/target.hpp"

namespace thalweg::cli {

/// For each step: the gradient by its formula, each slot of the method, the update; with symbols, and with numbers in
/// their place. The formulas are read off the graphs of the function and of the rule, so any method has them.
[[nodiscard]] std::string explained(const Target& target, const Optimizer& method, const MinimizeOptions& options,
                                    std::int64_t steps);

}  // namespace thalweg::cli
