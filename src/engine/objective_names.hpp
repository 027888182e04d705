#pragma once
// How a State tells the objectives apart that train it: their slots begin with their names.

#include <string>
#include <vector>

#include "thalweg/state.hpp"

namespace thalweg {

/// The slot behind an objective's name that counts its steps: "d:steps".
constexpr std::string_view steps_slot = "steps";

/// The name of the objective whose slot it is, with the colon; empty where it has none. A parameter group's pattern, in
/// brackets, may have a colon of its own.
[[nodiscard]] std::string_view prefix_of_slot(std::string_view slot);

/// The names of those that took a step, in their order.
[[nodiscard]] std::vector<std::string> objectives_of(const State& state);

}  // namespace thalweg
