#pragma once
// Examines the point at which a run ended, for the verdict.

#include "cli/session.hpp"
#include "insight/point.hpp"

namespace thalweg::cli {

/// A function that finds out what kind of point the run's parameters are, on some of the training rows and without
/// augmentation. The work is done when it is called. Empty if the model is so large that even a few rows would cost as
/// much as many steps, or if the rows are not in memory. The arguments must outlive it.
[[nodiscard]] std::function<Point()> look_at_end(const Session& session, const Config& config, const History& history,
                                                 const Registry& registry);

/// The parts of a run's history that such a look needs: the rate, if the method steps along the gradient itself, and
/// the decrease of the loss.
[[nodiscard]] PointOptions point_options(const History& history, std::string_view optimizer);

/// The largest eigenvalue of the Hessian of the loss at a state, on as few rows as above; empty if it costs too much.
[[nodiscard]] std::optional<Eigenvalue> largest_eigenvalue(const Session& session, const Config& config,
                                                           const State& at, const Registry& registry);

}  // namespace thalweg::cli
