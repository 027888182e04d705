#pragma once
// Names of the slots of a State by objective: the slots of each objective begin with its name.

#include <string>
#include <vector>

#include "thalweg/state.hpp"

namespace thalweg {

/// The slot that counts an objective's steps: "d:steps".
constexpr std::string_view steps_slot = "steps";

/// The name of the objective whose slot it is, with the colon; empty where it has none. A parameter group's pattern, in
/// brackets, may have a colon of its own.
[[nodiscard]] std::string_view prefix_of_slot(std::string_view slot);

/// The names of the objectives that took a step, in their order.
[[nodiscard]] std::vector<std::string> objectives_of(const State& state);

}  // namespace thalweg
