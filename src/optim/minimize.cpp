// Minimising a function of one tensor, without data: an optimizer's steps until a limit or a small gradient ends them.

#include "thalweg/minimize.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "optim/descent.hpp"

namespace thalweg {

void keep_inside(Tensor& x, const MinimizeOptions& options) {
  if (!options.lower && !options.upper) return;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (options.lower) x.set(i, std::max(x.at(i), options.lower->at(i)));
    if (options.upper) x.set(i, std::min(x.at(i), options.upper->at(i)));
  }
}

namespace {

/// Value and gradient at a point.
using Evaluate = std::function<double(const Tensor& x, Tensor& gradient)>;

void check_bounds(const Tensor& x0, const MinimizeOptions& options) {
  for (const auto* bound : {&options.lower, &options.upper}) {
    if (*bound && (!((*bound)->shape() == x0.shape()) || (*bound)->dtype() != x0.dtype())) {
      fail<UsageError>("[minimize] a bound of {} {} for a start of {} {}", (*bound)->dtype(), (*bound)->shape(),
                       x0.dtype(), x0.shape());
    }
  }
}

/// The norm of what would lead on: at a bound, what pushes against it does not count.
double norm_inside(const Tensor& gradient, const Tensor& x, const MinimizeOptions& options) {
  if (!options.lower && !options.upper) return norm_of(gradient);
  double total = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double g = gradient.at(i);
    const bool held = (options.lower && g > 0 && x.at(i) <= options.lower->at(i)) ||
                      (options.upper && g < 0 && x.at(i) >= options.upper->at(i));
    if (!held) total += g * g;
  }
  return std::sqrt(total);
}

MinimizeResult descend(const Evaluate& evaluate, const Tensor& x0, const Optimizer& optimizer,
                       const MinimizeOptions& options) {
  check_bounds(x0, options);
  MinimizeResult result;
  result.x = x0;
  keep_inside(result.x, options);
  Tensor gradient(x0.shape(), x0.dtype());
  Descent descent(optimizer, result.x);
  double lr = optimizer.lr;
  for (std::int64_t step = 0;; ++step) {
    const double before = result.value;
    result.value = evaluate(result.x, gradient);
    result.gradient_norm = norm_inside(gradient, result.x, options);
    result.steps = step;
    ++result.evaluations;
    if (options.on_step) options.on_step({step, result.value, result.gradient_norm, lr, result.x});
    const bool finite = std::isfinite(result.value) && std::isfinite(result.gradient_norm);
    const auto stop = [&](MinimizeReason reason) {
      result.reason = reason;
      return result;
    };
    if (!finite) return stop(MinimizeReason::not_finite);
    if (result.gradient_norm <= options.gradient_norm) return stop(MinimizeReason::gradient);
    if (options.value && result.value <= *options.value) return stop(MinimizeReason::value);
    if (step > 0 && options.value_change > 0 && std::abs(before - result.value) <= options.value_change) {
      return stop(MinimizeReason::value_change);
    }
    if (options.stop.stop_requested()) return stop(MinimizeReason::stop_requested);
    if (step == options.max_steps) return stop(MinimizeReason::max_steps);
    lr = descent.step(result.x, gradient, norm_of(gradient), {step, options.max_steps, options.max_steps, 1});
    keep_inside(result.x, options);
  }
}

}  // namespace

std::string_view name(MinimizeReason reason) {
  switch (reason) {
    case MinimizeReason::gradient: return "the gradient is small enough";
    case MinimizeReason::value_change: return "the value hardly changes";
    case MinimizeReason::value: return "the value asked for is reached";
    case MinimizeReason::max_steps: return "the steps are used up";
    case MinimizeReason::not_finite: return "the value or the gradient is not finite";
    case MinimizeReason::stop_requested: return "a stop was asked for";
  }
  return "";
}

std::string MinimizeResult::summary() const {
  return fmt::format("value {:.9g} after {} steps ({} evaluations), gradient norm {:.3g}: {}", value, steps,
                     evaluations, gradient_norm, name(reason));
}

MinimizeResult minimize(const Function& f, const Tensor& x0, const Optimizer& optimizer,
                        const MinimizeOptions& options) {
  if (!is_float(x0.dtype())) fail<UsageError>("[minimize] a start of {}. Hint: f32 or f64.", x0.dtype());
  const Slope slope(f, x0);
  MinimizeResult result = descend(std::cref(slope), x0, optimizer, options);
  if (result.reason == MinimizeReason::not_finite) result.not_finite_in = slope.find_not_finite(result.x).value_or("");
  return result;
}

MinimizeResult minimize_black_box(const BlackBox& f, std::span<const double> x0, const Optimizer& optimizer,
                                  const MinimizeOptions& options) {
  const Evaluate evaluate = [&](const Tensor& x, Tensor& gradient) {
    return f(x.values<double>(), gradient.mutable_values<double>());
  };
  return descend(evaluate, Tensor::from(x0, {static_cast<std::int64_t>(x0.size())}), optimizer, options);
}

}  // namespace thalweg
