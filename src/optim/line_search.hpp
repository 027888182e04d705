#pragma once
// Line searches: how far to go along a direction.

#include "thalweg/method.hpp"

namespace thalweg {

/// Conditions under which a step t along a direction of slope g0 < 0 is taken.
struct LineOptions {
  double decrease = 1e-4;  ///< f(t) <= f(0) + decrease t g0 (Armijo)
  double curvature = 0.9;  ///< |g(t)| <= curvature |g0| (strong Wolfe)
  double longest = 1e20;   ///< largest t
  int most = 20;           ///< most evaluations
};

struct LineStep {
  bool found = false;
  double step = 0, value = 0;
};

/// Where the search writes the point at which it ended, and the gradient there.
struct LinePlace {
  Tensor &x, &gradient;
};

/// The search of More and Thuente (1994), from the trial step `first` on. It ends at a step that meets the strong Wolfe
/// conditions, or the approximate Wolfe conditions of Hager and Zhang (2005): no rise beyond rounding, and curvature g0
/// <= g(t) <= (2 decrease - 1) g0. The latter can still be met close to a minimum, where rounding hides the fall. A
/// step that meets neither but has a lower value counts as found too. `place` then holds the point and its gradient.
[[nodiscard]] LineStep search_wolfe(Oracle& oracle, const MethodPoint& from, const Tensor& direction, double slope,
                                    double first, LinePlace place, const LineOptions& options = {});

/// Halves `first` (or takes the lowest point of the parabola through the known values) until the value falls enough
/// (Armijo 1966). Also computes the gradient at the end.
[[nodiscard]] LineStep search_armijo(Oracle& oracle, const MethodPoint& from, const Tensor& direction, double slope,
                                     double first, LinePlace place, const LineOptions& options = {});

}  // namespace thalweg
