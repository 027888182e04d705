// Least squares of any residuals: the loop over steps, and the report on its result.

#include "thalweg/least_squares.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "optim/levenberg_marquardt.hpp"

namespace thalweg {

namespace {

void copy(const Eigen::VectorXd& from, Tensor& to) {
  std::copy_n(from.data(), from.size(), to.mutable_values<double>().begin());
}

void check(const Residuals& residuals, const LeastSquaresOptions& options) {
  if (residuals.count() < residuals.parameters()) {
    fail<UsageError>("[least_squares] {} residuals for {} parameters. Wanted: at least as many", residuals.count(),
                     residuals.parameters());
  }
  if (options.max_steps < 0) fail<UsageError>("[least_squares] max_steps = {}. Wanted: >= 0", options.max_steps);
  if (!(options.damping > 0)) fail<UsageError>("[least_squares] damping = {}. Wanted: > 0", options.damping);
}

/// Takes steps until one of the reasons to stop holds, and returns the reason.
LeastSquaresReason walk(LevenbergMarquardt& method, Tensor& x, std::int64_t& steps,
                        const LeastSquaresOptions& options) {
  for (;; ++steps) {
    copy(method.x(), x);
    if (options.on_step) options.on_step({steps, method.sum_of_squares(), method.memory().damping, x});
    if (!method.is_finite()) return LeastSquaresReason::not_finite;
    if (options.stop.stop_requested()) return LeastSquaresReason::stop_requested;
    if (steps == options.max_steps) return LeastSquaresReason::max_steps;
    const auto outcome = method.step();
    if (outcome == LevenbergMarquardt::Outcome::moved) continue;
    ++steps;
    return outcome == LevenbergMarquardt::Outcome::small ? LeastSquaresReason::step_size
                                                         : LeastSquaresReason::no_change;
  }
}

}  // namespace

std::string_view name(LeastSquaresReason reason) {
  switch (reason) {
    case LeastSquaresReason::step_size: return "the steps are small enough";
    case LeastSquaresReason::no_change: return "no step makes the sum of squares smaller";
    case LeastSquaresReason::max_steps: return "the limit on steps is reached";
    case LeastSquaresReason::not_finite: return "a residual is not finite";
    case LeastSquaresReason::stop_requested: return "a stop was requested";
  }
  return "";
}

double LeastSquaresResult::deviation() const {
  const std::int64_t freedom = degrees_of_freedom();
  if (freedom <= 0) return std::numeric_limits<double>::quiet_NaN();
  return residual_norm / std::sqrt(static_cast<double>(freedom));
}

double LeastSquaresResult::standard_error(std::int64_t parameter) const { return errors.at(parameter); }

std::pair<double, double> LeastSquaresResult::interval(std::int64_t parameter, double confidence) const {
  const auto freedom = static_cast<double>(degrees_of_freedom());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double t = freedom > 0 ? student_quantile((1 + confidence) / 2, freedom) : nan;
  const double half = t * standard_error(parameter);
  return {x.at(parameter) - half, x.at(parameter) + half};
}

std::string LeastSquaresResult::summary() const {
  return fmt::format("sum of squares {:.9g} after {} steps ({} evaluations, {} Jacobians): {}", sum_of_squares, steps,
                     evaluations, jacobians, name(reason));
}

LeastSquaresResult least_squares(const Function& f, const Tensor& x0, const LeastSquaresOptions& options) {
  const Tensor start = x0.to(f64).reshape({x0.size()});
  const Residuals residuals(f, start.size());
  check(residuals, options);
  const auto values = start.values<double>();
  LevenbergMarquardt method(residuals, options, Eigen::Map<const Eigen::VectorXd>(values.data(), start.size()),
                            {.damping = options.damping});
  LeastSquaresResult result;
  result.x = start;
  result.residuals = residuals.count();
  result.reason = walk(method, result.x, result.steps, options);
  if (result.converged()) method.refine();
  copy(method.x(), result.x);
  result.sum_of_squares = method.sum_of_squares();
  method.judge(result);
  result.evaluations = method.evaluations();
  result.jacobians = method.jacobians();
  return result;
}

namespace {

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz's algorithm).
double incomplete_beta(double a, double b, double x) {
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  constexpr double tiny = 1e-300;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x)) / a;
  double c = 1, d = 1 / std::max(1 - (a + b) * x / (a + 1), tiny), result = d;
  for (int m = 1; m < 10'000; ++m) {
    const double k = m;
    const double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
    const double odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
    double change = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::abs(d) < tiny ? tiny : d);
      c = std::abs(c) < tiny ? tiny : c;
      change = c * d;
      result *= change;
    }
    if (std::abs(change - 1) < 1e-16) break;
  }
  return front * result;
}

/// The probability of a value above t >= 0.
double student_tail(double t, double freedom) {
  return t == 0 ? 0.5 : incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2;
}

}  // namespace

double student_quantile(double p, double freedom) {
  if (!(p > 0 && p < 1)) fail<UsageError>("[student_quantile] p = {}. Wanted: between 0 and 1", p);
  if (!(freedom > 0)) fail<UsageError>("[student_quantile] freedom = {}. Wanted: > 0", freedom);
  if (p == 0.5) return 0;
  if (p < 0.5) return -student_quantile(1 - p, freedom);
  double low = 0, high = 1;
  while (student_tail(high, freedom) > 1 - p && high < 1e300) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = (low + high) / 2;
    (student_tail(middle, freedom) > 1 - p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace thalweg
