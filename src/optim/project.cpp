// Projections: after the step, back to the nearest point of a set.

#include "core/error.hpp"
#include "optim/total_norm.hpp"
#include "thalweg/optim.hpp"

namespace thalweg::optim {

Transform project_box(double low, double high) {
  if (!(low <= high)) fail<UsageError>("[project_box] low = {}, high = {}. Wanted: low <= high", low, high);
  return {.name = "project_box",
          .after = [=](Update& u) { return clamp(u.parameter, u.scalar("low", low), u.scalar("high", high)); }};
}

Transform project_nonnegative() {
  return {.name = "project_nonnegative", .after = [](Update& u) { return maximum(u.parameter, 0); }};
}

Transform project_ball(double radius) {
  if (!(radius > 0)) fail<UsageError>("[project_ball] radius = {}. Wanted: > 0", radius);
  return {.name = "project_ball", .after = [=](Update& u) {
            const Var size = total_norm(u, u.parameter);
            return u.parameter * minimum(1, u.scalar("radius", radius) / maximum(size, 1e-30));
          }};
}

namespace {

/// max(x - tau, 0), with tau of each row such that the row sums to `total`: bisection until hardly an element lies
/// between the bounds of tau, then Newton's method, which is exact on a piece without a kink.
Var on_simplex(const Var& given, const Var& total) {
  // As differences from the largest of the row, since all elements may move by one number: sums of large elements would
  // lose `total` to rounding, or overflow. Those below it by `total` or more become 0 in any case.
  const Var x = maximum(given - max(given, -1, Keep::yes), -total);
  Var high = max(x, -1, Keep::yes), low = high - total;
  for (int i = 0; i < 24; ++i) {
    const Var middle = 0.5 * (low + high);
    const Var below = sum(maximum(x - middle, 0), -1, Keep::yes) > total;
    low = where(below, middle, low);
    high = where(below, high, middle);
  }
  Var tau = low;
  for (int i = 0; i < 4; ++i) {
    const Var active = x > tau;
    tau = (sum(active * x, -1, Keep::yes) - total) / sum(active, -1, Keep::yes);
  }
  return maximum(x - tau, 0);
}

}  // namespace

Transform project_simplex(double total) {
  if (!(total > 0)) fail<UsageError>("[project_simplex] total = {}. Wanted: > 0", total);
  return {.name = "project_simplex",
          .after = [=](Update& u) { return on_simplex(u.parameter, u.scalar("total", total)); },
          .per_parameter = true};
}

}  // namespace thalweg::optim
