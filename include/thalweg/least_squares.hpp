#pragma once
// Least squares: the parameters with the smallest sum of squared residuals, and how well the data determine them.

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/derivatives.hpp"
#include "thalweg/stop.hpp"

namespace thalweg {

/// One step of a fit, after it was taken; step 0 is the start.
struct LeastSquaresStep {
  std::int64_t step = 0;
  double sum_of_squares = 0;
  double damping = 0;  ///< lambda, with which the next step is tried
  const Tensor& x;
};

struct LeastSquaresOptions {
  std::int64_t max_steps = 1000;
  /// Stop when a step is at most this fraction of x, both measured in the scale of the damping.
  double step_size = 1e-10;
  double damping = 1e-3;     ///< lambda of the first step
  bool acceleration = true;  ///< correct each step by the second derivative of the residuals
  Stop stop = {};
  std::function<void(const LeastSquaresStep&)> on_step = {};
};

enum class LeastSquaresReason { step_size, no_change, max_steps, not_finite, stop_requested };
[[nodiscard]] std::string_view name(LeastSquaresReason reason);

struct LeastSquaresResult {
  Tensor x;                   ///< f64 (parameters)
  double sum_of_squares = 0;  ///< |r(x)|^2: 0 or infinite if it is out of the range of f64
  double residual_norm = 0;   ///< |r(x)|
  std::int64_t residuals = 0;
  std::int64_t steps = 0, evaluations = 0, jacobians = 0;  ///< evaluations of the residuals, with one more per Jacobian
  LeastSquaresReason reason = LeastSquaresReason::max_steps;
  /// deviation^2 (J^T J)^-1, f64 (parameters, parameters). Infinite in the rows and columns of `undetermined`; also 0
  /// or infinite if the square of an error is out of the range of f64.
  Tensor covariance;
  /// The correlation of each two parameters, f64 (parameters, parameters), and the standard errors, f64 (parameters):
  /// correct for parameters of any size.
  Tensor correlation, errors;
  /// Parameters that can change (together with others) without changing any residual: J does not have full rank.
  std::vector<std::int64_t> undetermined = {};

  [[nodiscard]] std::int64_t degrees_of_freedom() const { return residuals - x.size(); }
  /// |r(x)| / sqrt(degrees_of_freedom); NaN if there are no degrees of freedom.
  [[nodiscard]] double deviation() const;
  /// The square root of the variance of one parameter.
  [[nodiscard]] double standard_error(std::int64_t parameter) const;
  /// The confidence interval of the parameter, if the residuals are independent and normal and the function is nearly
  /// linear near x: x +- t standard errors, t from Student's distribution.
  [[nodiscard]] std::pair<double, double> interval(std::int64_t parameter, double confidence = 0.95) const;
  /// Whether it ended by a stopping rule, and not by a limit.
  [[nodiscard]] bool converged() const { return reason <= LeastSquaresReason::no_change; }
  [[nodiscard]] std::string summary() const;
};

/// Minimises |r(x)|^2 by the method of Levenberg (1944) and Marquardt (1963), from x0, in f64:
///
///     (J^T J + lambda D^2) s = -J^T r,   a: the same with r'' along s,   x += s - a/2
///
/// J is exact, by forward mode, and so is r''. D has the scale of each column of J: the larger of its present length
/// and 0.7 times its scale in the step before. lambda is adapted by the ratio of the actual decrease to the decrease
/// predicted by the linear model (Nielsen 1999); a is geodesic acceleration (Transtrum and Sethna 2012). With up to 40
/// parameters, a few steps of Newton's method then compute the last digits. Dense: it holds residuals x parameters
/// numbers.
///
/// Throws UsageError where r is not f64, or there are fewer residuals than parameters.
[[nodiscard]] LeastSquaresResult least_squares(const Function& residuals, const Tensor& x0,
                                               const LeastSquaresOptions& options = {});

/// The quantile of Student's distribution: with probability p a value is below it. p in (0, 1), freedom > 0.
[[nodiscard]] double student_quantile(double p, double freedom);

}  // namespace thalweg
