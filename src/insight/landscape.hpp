#pragma once
// The loss around a point: along directions, over planes, and between two points.

#include <functional>
#include <vector>

#include "engine/plane_loss.hpp"
#include "insight/surface.hpp"

namespace thalweg {

/// A random direction whose every filter has the norm of that filter of the parameters (Li et al. 2018, section 4): a
/// filter is what leads to one unit, the last axis of a weight. Elements of parameters of one axis, biases and the
/// weights of normalisations, are 0, as there. A step of 1 along it is as long, filter by filter, as the weights.
[[nodiscard]] std::vector<double> filter_normalised_direction(const State& at, std::uint64_t seed);

/// The first two principal components of a path's points, seen from its last (Li et al. 2018, section 7).
struct PathPlane {
  std::vector<double> first = {}, second = {};  ///< unit vectors
  std::vector<double> along = {}, across = {};  ///< each point's places on them
  double first_part = 0, second_part = 0;       ///< of the variance of the points
};
/// Throws UsageError for fewer than three points, or points that all lie on one line.
[[nodiscard]] PathPlane plane_of_path(const std::vector<std::vector<double>>& points);

using GridProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// The loss at origin + t direction.
[[nodiscard]] std::vector<double> losses_along(const Surface& surface, std::span<const double> origin,
                                               std::span<const double> direction, std::span<const double> places);
/// The loss at origin + x first + y second: row by row from the lowest y.
[[nodiscard]] std::vector<double> losses_over(const Surface& surface, std::span<const double> origin,
                                              std::span<const double> first, std::span<const double> second,
                                              std::span<const double> x, std::span<const double> y,
                                              const GridProgress& progress = {});

/// The same of a model's loss, where products are kept from point to point.
[[nodiscard]] std::vector<double> losses_over(PlaneLoss& plane, std::span<const double> x, std::span<const double> y,
                                              const GridProgress& progress = {});

/// What the loss along the straight line between two points says of what lies between them.
struct Barrier {
  double height = 0;  ///< the most that the loss lies above the straight line between the two losses; at least 0
  double place = 0;   ///< where that is, from 0 to 1
};
/// Of losses at places in [0, 1] (Frankle et al. 2020, section 2).
[[nodiscard]] Barrier barrier_of(std::span<const double> places, std::span<const double> losses);

/// `count` places from `low` to `high`, both among them.
[[nodiscard]] std::vector<double> evenly_spaced(double low, double high, int count);

}  // namespace thalweg
