#pragma once
// The point where a run has ended, looked at: for the verdict.

#include "cli/session.hpp"
#include "insight/point.hpp"

namespace thalweg::cli {

/// What kind of point the run's parameters are, on some of the training rows and without augmentation; a function that
/// looks when it is called. Empty where the model is so large that few rows would cost as much as many steps, or where
/// the rows are yet to be read. What is given must outlive it.
[[nodiscard]] std::function<Point()> look_at_end(const Session& session, const Config& config, const History& history,
                                                 const Registry& registry);

/// What a run's history says to such a look: the rate, where the method steps along the gradient itself, and the fall.
[[nodiscard]] PointOptions point_options(const History& history, std::string_view optimizer);

/// The largest eigenvalue of the loss's Hessian at a state, on rows as few as above; nothing where it costs too much.
[[nodiscard]] std::optional<Eigenvalue> largest_eigenvalue(const Session& session, const Config& config,
                                                           const State& at, const Registry& registry);

}  // namespace thalweg::cli
