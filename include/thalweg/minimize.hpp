#pragma once
// Minimising any function of one tensor: no data, no model, the same optimizers.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "thalweg/derivatives.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/stop.hpp"

namespace thalweg {

/// One step of a minimisation, after it was taken; step 0 is the start.
struct MinimizeStep {
  std::int64_t step = 0;
  double value = 0, gradient_norm = 0;
  double lr = 0;  ///< for a method that owns its steps: their length, radius or damping
  const Tensor& x;
};

struct MinimizeOptions {
  std::int64_t max_steps = 1000;
  /// Stop when the gradient's norm is at most this; components that push against a bound do not count.
  double gradient_norm = 1e-8;
  double value_change = 0;                       ///< stop when a step changes the value by at most this; 0: never
  std::optional<double> value = {};              ///< stop when the value is at most this
  std::optional<Tensor> lower = {}, upper = {};  ///< bounds, element by element: each step ends inside
  Stop stop = {};
  std::function<void(const MinimizeStep&)> on_step = {};
  std::uint64_t seed = 0;  ///< seed of a method's random numbers, such as noise on the gradient
};

enum class MinimizeReason { gradient, value_change, value, max_steps, not_finite, stop_requested, no_progress };
[[nodiscard]] std::string_view name(MinimizeReason reason);

struct MinimizeResult {
  Tensor x;  ///< the last point
  double value = 0, gradient_norm = 0;
  std::int64_t steps = 0, evaluations = 0;
  std::int64_t products = 0;  ///< products of a matrix of second derivatives with a vector
  MinimizeReason reason = MinimizeReason::max_steps;
  std::string_view no_progress = {};  ///< the reason of the method, if it found no lower value
  std::string not_finite_in = {};     ///< the first op with a result that is not finite, if such a value ended the run
  /// Whether it ended by a stopping rule, and not by a limit.
  [[nodiscard]] bool converged() const { return reason <= MinimizeReason::value; }
  /// One line with value, steps, gradient norm and the reason for the end.
  [[nodiscard]] std::string summary() const;
};

/// Minimises f, a scalar function of one tensor in f32 or f64, from x0. Throws UsageError where f is not scalar, or the
/// bounds do not fit x0, and if f does not offer what a method needs (for example, a black box has no products with the
/// Hessian).
[[nodiscard]] MinimizeResult minimize(const Function& f, const Tensor& x0, const Optimizer& optimizer,
                                      const MinimizeOptions& options = {});

/// The same for |r(x)|^2, given r. Methods of least squares need this form.
[[nodiscard]] MinimizeResult minimize_squares(const Function& residuals, const Tensor& x0, const Optimizer& optimizer,
                                              const MinimizeOptions& options = {});

/// Fills the gradient and returns the value, at x.
using BlackBox = std::function<double(std::span<const double> x, std::span<double> gradient)>;
/// The same for a function that is not written on Vars.
[[nodiscard]] MinimizeResult minimize_black_box(const BlackBox& f, std::span<const double> x0,
                                                const Optimizer& optimizer, const MinimizeOptions& options = {});

}  // namespace thalweg
