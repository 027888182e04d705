#pragma once
// Whether a state is what a model and an optimizer can work on.

#include "thalweg/state.hpp"

namespace thalweg {

/// Throws UsageError for a state without a layout, or whose parameters are not as many as its layout says. Asked at
/// every step.
void check_parameters(const State& state);

/// The same, and that the layout is one: throws for places outside the block, or a step count below 0. Where the model
/// is known already, throws ModelError for the first parameter that differs, with both shapes.
void check_state(const State& state, const Layout* known);

/// Whether parameters have the same names, shapes and places.
[[nodiscard]] bool same_places(const Layout& a, const Layout& b);

}  // namespace thalweg
