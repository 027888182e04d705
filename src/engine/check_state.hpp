#pragma once
// Checks that a state fits a model and an optimizer.

#include "thalweg/state.hpp"

namespace thalweg {

/// Whether the parameters are as many as the layout has, and of its type.
[[nodiscard]] inline bool fits(const State& state, const Layout& layout) {
  return state.parameters.size() == layout.size && state.parameters.dtype() == layout.dtype;
}
/// Throws the error about the parameters of a state.
[[noreturn]] void refuse_parameters(const State& state);

/// Throws UsageError for a state without a layout, or with another number of parameters than its layout has. Called at
/// every step.
inline void check_parameters(const State& state) {
  if (!state.layout || !fits(state, *state.layout)) refuse_parameters(state);
}

/// The same, and also throws for a layout with places outside the block, or a step count below 0. Where the model is
/// known already, throws ModelError for the first parameter that differs, with both shapes.
void check_state(const State& state, const Layout* known);

/// Whether parameters have the same names, shapes and places.
[[nodiscard]] bool same_places(const Layout& a, const Layout& b);

}  // namespace thalweg
