#pragma once
// The loss around a point: along directions, over planes, and between two points.

#include <functional>
#include <vector>

#include "engine/plane_loss.hpp"
#include "insight/surface.hpp"

namespace thalweg {

/// A random direction in which each filter has the norm of the same filter of the parameters (Li et al. 2018, section
/// 4). A filter is the weights of one output unit, along the last axis of a weight. Parameters with one axis (biases,
/// weights of normalisations) are 0 in it, as in the paper. So a step of 1 is as long as the weights, filter by filter.
[[nodiscard]] std::vector<double> filter_normalised_direction(const State& at, std::uint64_t seed);

/// The first two principal components of the points of a path, relative to its last point (Li et al. 2018, section 7).
struct PathPlane {
  std::vector<double> first = {}, second = {};  ///< unit vectors
  std::vector<double> along = {}, across = {};  ///< the coordinates of each point on them
  double first_part = 0, second_part = 0;       ///< fractions of the variance of the points
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

/// The same for the loss of a model; `products` are reused from point to point.
[[nodiscard]] std::vector<double> losses_over(PlaneLoss& plane, std::span<const double> x, std::span<const double> y,
                                              const GridProgress& progress = {});

/// The barrier of the loss on the straight line between two points.
struct Barrier {
  double height =
      0;  ///< the largest distance of the loss above the straight line between the losses at the ends; at least 0
  double place = 0;  ///< where that is, from 0 to 1
};
/// The barrier of losses at places in [0, 1] (Frankle et al. 2020, section 2).
[[nodiscard]] Barrier barrier_of(std::span<const double> places, std::span<const double> losses);

/// `count` evenly spaced places from `low` to `high`, both included.
[[nodiscard]] std::vector<double> evenly_spaced(double low, double high, int count);

}  // namespace thalweg
