// Least squares of any residuals: the loop over steps, and the report on its result.

#include "thalweg/least_squares.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

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
  if (!(confidence > 0 && confidence < 1)) {
    fail<UsageError>("[interval] confidence = {}. Wanted: between 0 and 1. Hint: 0.95", confidence);
  }
  const auto freedom = static_cast<double>(degrees_of_freedom());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // by the lower tail, because a probability near 1 has few digits
  const double t = freedom > 0 ? -student_quantile((1 - confidence) / 2, freedom) : nan;
  const double half = t * standard_error(parameter);
  return {x.at(parameter) - half, x.at(parameter) + half};
}

std::string LeastSquaresResult::summary() const {
  return fmt::format("sum of squares {:.9g} after {} steps ({} evaluations, {} Jacobians): {}", sum_of_squares, steps,
                     evaluations, jacobians, name(reason));
}

LeastSquaresResult least_squares(const Function& f, const Tensor& x0, const LeastSquaresOptions& options) {
  if (x0.size() == 0) fail<UsageError>("[least_squares] a start of shape {}. Wanted: at least one number", x0.shape());
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

/// log(Gamma(a + 1/2) / Gamma(a)). For large a a series, because the difference of two logarithms loses their digits.
double log_gamma_ratio(double a) {
  if (a < 20) return std::lgamma(a + 0.5) - std::lgamma(a);
  const double r = 1 / (a * a);
  return std::log(a) / 2 - (1.0 / 8 - r * (1.0 / 192 - r * (1.0 / 640 - r * (17.0 / 14336)))) / a;
}

/// A number z in (0, 1) as itself, 1 - z and the logarithms of both, all with full precision.
struct Share {
  double z, rest, log_z, log_rest;
};

/// The regularised incomplete beta function I_z(a, b) where a or b is 1/2, by its continued fraction (Lentz's
/// algorithm), which is short for z up to about a / (a + b).
double beta_fraction(double a, double b, const Share& share) {
  const auto& [x, rest, log_x, log_rest] = share;
  constexpr double tiny = 1e-300;
  const double log_beta = std::log(std::numbers::pi) / 2 - log_gamma_ratio(a == 0.5 ? b : a);
  const double front = std::exp(a * log_x + b * log_rest - log_beta) / a;
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
    if (std::abs(change - 1) < 3e-16) break;
  }
  return front * result;
}

double incomplete_beta(double a, double b, const Share& share) {
  if (share.z <= (a + 1) / (a + b + 2)) return beta_fraction(a, b, share);
  return 1 - beta_fraction(b, a, {share.rest, share.z, share.log_rest, share.log_z});
}

/// log(1 + e^x)
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// The share freedom / (freedom + t^2), which decides both probabilities below.
Share share_of(double t, double freedom) {
  const double s = 2 * std::log(t) - std::log(freedom);
  const double log_z = -softplus(s), log_rest = -softplus(-s);
  return {std::exp(log_z), std::exp(log_rest), log_z, log_rest};
}

/// The probability of a value above t > 0.
double student_tail(double t, double freedom) { return incomplete_beta(freedom / 2, 0.5, share_of(t, freedom)) / 2; }

/// The probability of a value between 0 and t > 0.
double student_centre(double t, double freedom) {
  const auto [z, rest, log_z, log_rest] = share_of(t, freedom);
  return incomplete_beta(0.5, freedom / 2, {rest, z, log_rest, log_z}) / 2;
}

double normal_tail(double t) { return std::erfc(t / std::numbers::sqrt2) / 2; }
double normal_centre(double t) { return std::erf(t / std::numbers::sqrt2) / 2; }

/// The smallest t > 0 for which `is_beyond` holds, by bisection over the bits, which order positive numbers.
template <class IsBeyond>
double first_beyond(const IsBeyond& is_beyond) {
  auto low = std::uint64_t{1}, high = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity());
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (is_beyond(std::bit_cast<double>(middle))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return std::bit_cast<double>(low);
}

/// The t > 0 with the probability `lower` < 1/2 below -t. The smaller of the two probabilities on its sides decides,
/// because only that one has all its digits.
template <class Tail, class Centre>
double upper_quantile(double lower, const Tail& tail, const Centre& centre) {
  if (lower < 0.25) return first_beyond([&](double t) { return tail(t) <= lower; });
  return first_beyond([&](double t) { return centre(t) >= 0.5 - lower; });
}

/// Student's quantile for a large freedom, from the normal one. (Fisher and Cornish 1960; Abramowitz and Stegun,
/// 26.7.5)
double from_normal(double z, double freedom) {
  const double s = z * z, r = 1 / freedom;
  const double first = (s + 1) / 4, second = ((5 * s + 16) * s + 3) / 96,
               third = (((3 * s + 19) * s + 17) * s - 15) / 384,
               fourth = ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160;
  return z * (1 + r * (first + r * (second + r * (third + r * fourth))));
}

}  // namespace

double student_quantile(double p, double freedom) {
  if (!(p > 0 && p < 1)) fail<UsageError>("[student_quantile] p = {}. Wanted: between 0 and 1", p);
  if (!(freedom > 0)) fail<UsageError>("[student_quantile] freedom = {}. Wanted: > 0", freedom);
  if (p == 0.5) return 0;
  const double lower = std::min(p, 1 - p), sign = p < 0.5 ? -1 : 1;
  constexpr double large = 1e5;  // beyond it four terms of the series are exact to the last digits
  if (freedom > large) return sign * from_normal(upper_quantile(lower, normal_tail, normal_centre), freedom);
  return sign * upper_quantile(
                    lower, [=](double t) { return student_tail(t, freedom); },
                    [=](double t) { return student_centre(t, freedom); });
}

}  // namespace thalweg
