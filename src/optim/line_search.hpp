#pragma once
// Line searches: how far to go along a direction.

#include "thalweg/method.hpp"

namespace thalweg {

/// When a step t along a direction of slope g0 < 0 is taken.
struct LineOptions {
  double decrease = 1e-4;  ///< f(t) <= f(0) + decrease t g0 (Armijo)
  double curvature = 0.9;  ///< |g(t)| <= curvature |g0| (strong Wolfe)
  double longest = 1e20;   ///< t
  int most = 20;           ///< evaluations
};

struct LineStep {
  bool found = false;
  double step = 0, value = 0;
};

/// A point on the line, where the search ended: what the search writes to.
struct LinePlace {
  Tensor &x, &gradient;
};

/// The search of More and Thuente (1994) for a step with the strong Wolfe conditions, from `first` on; or with those of
/// Hager and Zhang (2005, approximate Wolfe), which a value of finite digits can meet near a minimum: no rise beyond
/// rounding, and curvature g0 <= g(t) <= (2 decrease - 1) g0. If it finds no such step but a lower value, that counts
/// as found. `place` holds the point and its gradient then.
[[nodiscard]] LineStep search_wolfe(Oracle& oracle, const MethodPoint& from, const Tensor& direction, double slope,
                                    double first, LinePlace place, const LineOptions& options = {});

/// Halves `first` (or takes the lowest point of the parabola through what is known) until the value falls enough
/// (Armijo 1966). The gradient at the end is asked for as well.
[[nodiscard]] LineStep search_armijo(Oracle& oracle, const MethodPoint& from, const Tensor& direction, double slope,
                                     double first, LinePlace place, const LineOptions& options = {});

}  // namespace thalweg
