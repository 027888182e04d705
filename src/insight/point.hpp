#pragma once
// What kind of point a descent has come to rest at: looked at along the gradient first, then by the ends of the
// Hessian's spectrum.

#include <string>
#include <string_view>
#include <vector>

#include "insight/surface.hpp"
#include "insight/verdict.hpp"

namespace thalweg {

enum class PointKind {
  slope,          ///< a step of the rate, or one as long as is stable, goes down: it has not come to rest
  rate_too_high,  ///< a step of the rate goes up, a smaller one down
  rate_too_low,   ///< a rate that is higher and still stable goes down at once
  saddle,         ///< flat along the gradient, and a direction of negative curvature leads down
  plateau,        ///< what goes down is beyond any stable step; or whole layers do not reach the loss
  minimum         ///< nothing goes down: neither the gradient nor a direction of negative curvature
};
[[nodiscard]] std::string_view name(PointKind kind);  ///< "rate too low"

/// The numbers that decide, for documentation.
namespace point_rule {
inline constexpr double worth = 0.01;     ///< of the scale, which is the absolute loss: a change that counts
inline constexpr double negative = 1e-3;  ///< of the largest absolute eigenvalue: negative curvature that counts
inline constexpr double little = 1e-3;    ///< of the scale: what it has to lead to at a stationary point,
inline constexpr double beyond = 100;     ///< where it leads so many times further down than the gradient does
inline constexpr double behind = 16;      ///< times the step to where the curvature along the gradient has the minimum
inline constexpr double higher = 10;      ///< times the rate: what a rate that is too low is below
inline constexpr double of_fall = 1e-3;   ///< of what the descent has gained so far: the least scale
inline constexpr double trace = 1e-9;     ///< of that: a gain that is not the last of a descent to a minimum
inline constexpr double far_more = 30;    ///< times that: a step that outdoes the descent
inline constexpr double rounding = 1e-9;  ///< of the loss: below it a gain may be rounding
inline constexpr std::size_t all_of_it = 100;  ///< parameters: of as many the whole spectrum is found
inline constexpr double silent = 1e-4;  ///< of the largest of any layer: curvature of one that does not reach the loss
}  // namespace point_rule

struct PointOptions {
  double lr = 0;    ///< the descent's rate; 0: not known, and nothing is said of it
  double fall = 0;  ///< how far the loss came down in the descent
  LanczosOptions lanczos = {.steps = 60, .tolerance = 1e-3};
  const Extremes* extremes = nullptr;  ///< where they are known already
};

struct Point {
  PointKind kind = PointKind::minimum;
  std::string sentence;  ///< "A saddle: ..."
  std::vector<Evidence> evidence;
  std::vector<double> direction = {};  ///< at a saddle: a unit vector that leads down
  double distance = 0;                 ///< and how far along it the loss was lowest of what was tried
  double largest = 0, smallest = 0;    ///< eigenvalues
};

/// Some 50 values, a gradient and as many Hessian products as Lanczos takes. Throws NumericError where the loss or a
/// product is not finite.
[[nodiscard]] Point kind_of_point(const Surface& surface, std::span<const double> x, const PointOptions& options = {});

}  // namespace thalweg
