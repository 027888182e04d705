#pragma once
// The kind of point at which a descent has come to rest, found from the loss along the gradient and then from both ends
// of the Hessian's spectrum.

#include <string>
#include <string_view>
#include <vector>

#include "insight/surface.hpp"
#include "insight/verdict.hpp"

namespace thalweg {

enum class PointKind {
  slope,  ///< a step with the learning rate, or the longest stable step, lowers the loss: the descent is not at rest
  rate_too_high,  ///< a step with the learning rate raises the loss, a smaller one lowers it
  rate_too_low,   ///< a higher learning rate that is still stable lowers the loss at once
  saddle,         ///< flat along the gradient, and a direction of negative curvature, or of none, leads down
  plateau,  ///< only a step beyond any stable step, or along the floor of a valley, lowers the loss; or whole layers
            ///< have no effect on it
  minimum   ///< neither the gradient nor a direction of negative curvature, or of none, leads down
};
[[nodiscard]] std::string_view name(PointKind kind);  ///< "rate too low"

/// The thresholds, public so that the documentation can show them.
namespace point_rule {
inline constexpr double worth = 0.01;  ///< of the scale (the absolute loss): a change from this on counts
inline constexpr double negative =
    1e-3;                               ///< of the largest absolute eigenvalue: negative curvature from this on counts
inline constexpr double little = 1e-3;  ///< of the scale: the gain that negative curvature needs at a stationary point,
inline constexpr double beyond = 100;   ///< which is a point where it gains this many times more than the gradient
inline constexpr double behind = 16;  ///< times the step to the minimum that the curvature along the gradient predicts
inline constexpr double higher = 10;  ///< a learning rate is too low where the stable step is this many times longer
inline constexpr double of_fall = 1e-3;  ///< of the gain of the descent so far: lower limit of the scale
inline constexpr double trace =
    1e-9;  ///< of the same gain: a gain above it is not the last one of a descent to a minimum
inline constexpr double far_more = 30;    ///< times the same gain: a step that gains more outdoes the descent
inline constexpr double rounding = 1e-9;  ///< of the loss: a smaller gain may be rounding
inline constexpr std::size_t all_of_it =
    100;  ///< up to this many parameters the whole spectrum and Newton's step are computed
inline constexpr double silent =
    1e-4;  ///< of the largest curvature of any layer: a layer below it has no effect on the loss
}  // namespace point_rule

struct PointOptions {
  double lr = 0;    ///< the learning rate of the descent; 0: not known, and not judged
  double fall = 0;  ///< by how much the descent lowered the loss
  LanczosOptions lanczos = {.steps = 60, .tolerance = 1e-3};
  const Extremes* extremes = nullptr;  ///< set where they are known already
};

struct Point {
  PointKind kind = PointKind::minimum;
  std::string sentence;  ///< "A saddle: ..."
  std::vector<Evidence> evidence;
  std::vector<double> direction = {};  ///< at a saddle: a unit vector that leads down
  double distance = 0;                 ///< and the distance along it at which the loss was lowest of those tried
  double largest = 0, smallest = 0;    ///< eigenvalues
};

/// Takes about 50 values, a gradient and the Hessian products of a Lanczos run. Throws NumericError where the loss or a
/// product is not finite.
[[nodiscard]] Point kind_of_point(const Surface& surface, std::span<const double> x, const PointOptions& options = {});

}  // namespace thalweg
