// Minimising a function of one tensor, without data: an optimizer's steps until a limit or a small gradient ends them.

#include "thalweg/minimize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "optim/asks.hpp"
#include "optim/oracles.hpp"

namespace thalweg {

void keep_inside(Tensor& x, const MinimizeOptions& options) {
  if (!options.lower && !options.upper) return;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (options.lower) x.set(i, std::max(x.at(i), options.lower->at(i)));
    if (options.upper) x.set(i, std::min(x.at(i), options.upper->at(i)));
  }
}

namespace {

void check_limits(const Tensor& x0, const MinimizeOptions& options) {
  if (x0.size() == 0) fail<UsageError>("[minimize] a start of shape {}. Wanted: at least one number", x0.shape());
  if (options.max_steps < 0) fail<UsageError>("[minimize] max_steps = {}. Wanted: >= 0", options.max_steps);
  const std::pair<std::string_view, double> limits[] = {{"gradient_norm", options.gradient_norm},
                                                        {"value_change", options.value_change},
                                                        {"value", options.value.value_or(0)}};
  for (const auto& [name, limit] : limits) {
    if (std::isnan(limit)) fail<UsageError>("[minimize] {} = {}. Wanted: a number", name, limit);
  }
}

/// Throws where no number lies between the bounds of an element.
void check_room(const MinimizeOptions& options, std::int64_t size) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < size; ++i) {
    const double low = options.lower ? options.lower->at(i) : -infinity,
                 high = options.upper ? options.upper->at(i) : infinity;
    if (!(low <= high))
      fail<UsageError>("[minimize] bounds {} and {} of element {}. Wanted: lower <= upper", low, high, i);
  }
}

void check_bounds(const Tensor& x0, const MinimizeOptions& options) {
  for (const auto* bound : {&options.lower, &options.upper}) {
    if (*bound && (!((*bound)->shape() == x0.shape()) || (*bound)->dtype() != x0.dtype())) {
      fail<UsageError>("[minimize] a bound is {} {}, the start {} {}. Wanted: the same dtype and shape",
                       (*bound)->dtype(), (*bound)->shape(), x0.dtype(), x0.shape());
    }
  }
  if (options.lower || options.upper) check_room(options, x0.size());
}

/// The norm of the gradient without its parts that push against a bound.
double norm_inside(const Tensor& gradient, const Tensor& x, const MinimizeOptions& options) {
  if (!options.lower && !options.upper) return norm_of(gradient);
  Tensor inside = gradient.to(f64);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double g = gradient.at(i);
    const bool held = (options.lower && g > 0 && x.at(i) <= options.lower->at(i)) ||
                      (options.upper && g < 0 && x.at(i) >= options.upper->at(i));
    if (held) inside.set(i, 0);
  }
  return norm_of(inside);
}

/// Takes the steps of a minimisation.
class Stepper {
 public:
  Stepper() = default;
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;
  virtual ~Stepper() = default;
  /// Moves to the next point, and computes its value and gradient.
  virtual MethodStep step(MethodPoint& at, std::int64_t number) = 0;
  virtual bool leave(MethodPoint&) { return false; }
  double size = 0;  ///< size of the last step
};

class ChainStepper : public Stepper {
 public:
  ChainStepper(const Optimizer& optimizer, const Tensor& x, Oracle& oracle, const MinimizeOptions& options)
      : asks_(asks_of(optimizer)), descent_(optimizer, x, options.seed), oracle_(oracle), options_(options) {
    size = optimizer.lr;
    if (asks_.radius > 0) uphill_ = Tensor(x.shape(), x.dtype());
    if (asks_.diagonal) signs_ = Tensor(x.shape(), x.dtype());
  }
  MethodStep step(MethodPoint& at, std::int64_t number) override {
    const Progress progress{number, options_.max_steps, options_.max_steps, 1};
    if (asks_.diagonal && is_due(number + 1, asks_.diagonal_every)) estimate_diagonal(at, number + 1);
    if (asks_.radius > 0) take_uphill(at);
    const double lr = descent_.step(at.x, at.gradient, norm_of(at.gradient), progress);
    keep_inside(at.x, options_);
    at.value = oracle_.gradient(at.x, at.gradient);
    return {.size = lr};
  }

 private:
  /// Computes the gradient a little uphill, in place of the gradient at x.
  void take_uphill(MethodPoint& at) {
    const double length = std::sqrt(climb_squares(asks_, at.x, at.gradient));
    copy(at.x, uphill_);
    climb(asks_, uphill_, asks_.radius / (length + 1e-12), at.gradient);
    (void)oracle_.gradient(uphill_, at.gradient);
  }

  void estimate_diagonal(const MethodPoint& at, std::int64_t step) {
    Tensor& product = descent_.slot(".diagonal");
    draw_signs(options_.seed, step, 0, signs_);
    Tensor shaped = product.reshape(at.x.shape());
    if (*asks_.diagonal == Need::gauss_newton) {
      oracle_.gauss_newton(at.x, signs_, shaped);
    } else {
      oracle_.curvature(at.x, signs_, shaped);
    }
    multiply(shaped, signs_);
    copy(shaped, product);
  }

  Asks asks_;
  Tensor uphill_, signs_;
  Descent descent_;
  Oracle& oracle_;
  const MinimizeOptions& options_;
};

class MethodStepper : public Stepper {
 public:
  MethodStepper(const Method& method, const Tensor& x, Oracle& oracle)
      : method_(method), memory_(method.slots(x)), oracle_(oracle) {}
  MethodStep step(MethodPoint& at, std::int64_t) override { return method_.step(at, memory_, oracle_); }
  bool leave(MethodPoint& at) override { return method_.leave(at, memory_, oracle_); }

 private:
  const Method& method_;
  MethodMemory memory_;
  Oracle& oracle_;
};

void check_needs(const Optimizer& optimizer, const std::vector<Need>& needs, const Oracle& oracle) {
  for (const Need need : needs) {
    if (oracle.offers(need)) continue;
    fail<UsageError>("[{}] the method needs {}, and {} has none. Hint: lbfgs needs only value and gradient.",
                     optimizer.name, name(need), oracle.kind());
  }
}

void check_method(const Optimizer& optimizer, const Oracle& oracle) {
  if ((oracle.lower() || oracle.upper()) && !optimizer.method->keeps_bounds()) {
    fail<UsageError>("[{}] its steps keep no bounds. Hint: lbfgs keeps them, and so do methods with a rate.",
                     optimizer.name);
  }
}

std::unique_ptr<Stepper> stepper_of(const Optimizer& optimizer, const Tensor& x, Oracle& oracle,
                                    const MinimizeOptions& options) {
  if (const Asks asks = asks_of(optimizer); asks.anchored || asks.per_row || asks.drawn_labels || asks.factors)
    fail<UsageError>("[{}] the method needs a mean over rows of data, and {} is none. Hint: thalweg train.",
                     optimizer.name, oracle.kind());
  if (optimizer.method) check_needs(optimizer, optimizer.method->needs(), oracle);
  if (!owns_steps(optimizer)) return std::make_unique<ChainStepper>(optimizer, x, oracle, options);
  check_method(optimizer, oracle);
  return std::make_unique<MethodStepper>(*optimizer.method, x, oracle);
}

/// The reason to stop at a point, if there is one.
std::optional<MinimizeReason> reason_to_end(const MinimizeResult& now, double value_before,
                                            const MinimizeOptions& options) {
  if (!std::isfinite(now.value) || !std::isfinite(now.gradient_norm)) return MinimizeReason::not_finite;
  if (now.gradient_norm <= options.gradient_norm) return MinimizeReason::gradient;
  if (options.value && now.value <= *options.value) return MinimizeReason::value;
  if (now.steps > 0 && options.value_change > 0 && std::abs(value_before - now.value) <= options.value_change) {
    return MinimizeReason::value_change;
  }
  if (options.stop.stop_requested()) return MinimizeReason::stop_requested;
  if (now.steps == options.max_steps) return MinimizeReason::max_steps;
  return {};
}

}  // namespace

MinimizeResult minimize_oracle(Oracle& oracle, const Tensor& x0, const Optimizer& optimizer,
                               const MinimizeOptions& options) {
  check_limits(x0, options);
  check_bounds(x0, options);
  MinimizeResult result;
  MethodPoint at;
  at.x = owns_steps(optimizer) ? x0.reshape({x0.size()}) : x0;
  at.gradient = Tensor(at.x.shape(), x0.dtype());
  keep_inside(at.x, options);
  const auto stepper = stepper_of(optimizer, at.x, oracle, options);
  const auto end = [&](MinimizeReason reason) {
    result.x = at.x.reshape(x0.shape());
    result.reason = reason;
    result.evaluations = oracle.evaluations;
    result.products = oracle.products;
    return result;
  };
  at.value = oracle.gradient(at.x, at.gradient);
  for (double before = 0;; ++result.steps) {
    result.value = at.value;
    result.gradient_norm = norm_inside(at.gradient, at.x, options);
    if (options.on_step) options.on_step({result.steps, at.value, result.gradient_norm, stepper->size, at.x});
    const auto reason = reason_to_end(result, before, options);
    if (reason && (reason != MinimizeReason::gradient || !stepper->leave(at))) return end(*reason);
    if (reason) continue;  // the step leaves a saddle point
    before = at.value;
    const MethodStep done = stepper->step(at, result.steps);
    stepper->size = done.size;
    if (done.moved) continue;
    result.no_progress = done.why;
    return end(MinimizeReason::no_progress);
  }
}

std::string_view name(MinimizeReason reason) {
  switch (reason) {
    case MinimizeReason::gradient: return "the gradient is small enough";
    case MinimizeReason::value_change: return "the value hardly changes";
    case MinimizeReason::value: return "the target value is reached";
    case MinimizeReason::max_steps: return "the limit on steps is reached";
    case MinimizeReason::not_finite: return "the value or the gradient is not finite";
    case MinimizeReason::stop_requested: return "a stop was requested";
    case MinimizeReason::no_progress: return "no step lowers the value";
  }
  return "";
}

std::string MinimizeResult::summary() const {
  return fmt::format("value {:.9g} after {} steps ({} evaluations), gradient norm {:.3g}: {}", value, steps,
                     evaluations, gradient_norm, name(reason));
}

MinimizeResult minimize(const Function& f, const Tensor& x0, const Optimizer& optimizer,
                        const MinimizeOptions& options) {
  if (!is_float(x0.dtype())) fail<UsageError>("[minimize] the start is {}. Wanted: f32 or f64", x0.dtype());
  FunctionOracle oracle(f, x0, options);
  MinimizeResult result = minimize_oracle(oracle, x0, optimizer, options);
  if (result.reason == MinimizeReason::not_finite) {
    result.not_finite_in = oracle.slope().find_not_finite(result.x).value_or("");
  }
  return result;
}

MinimizeResult minimize_squares(const Function& residuals, const Tensor& x0, const Optimizer& optimizer,
                                const MinimizeOptions& options) {
  if (x0.dtype() != f64 || x0.shape().rank() != 1) {
    fail<UsageError>("[minimize_squares] the start is {} {}. Wanted: a vector of f64", x0.dtype(), x0.shape());
  }
  SquaresOracle oracle(residuals, x0, options);
  MinimizeResult result = minimize_oracle(oracle, x0, optimizer, options);
  if (result.reason == MinimizeReason::not_finite) {
    result.not_finite_in = oracle.slope().find_not_finite(result.x).value_or("");
  }
  return result;
}

MinimizeResult minimize_black_box(const BlackBox& f, std::span<const double> x0, const Optimizer& optimizer,
                                  const MinimizeOptions& options) {
  const Tensor start = Tensor::from(x0, {static_cast<std::int64_t>(x0.size())});
  BlackBoxOracle oracle(f, start, options);
  return minimize_oracle(oracle, start, optimizer, options);
}

}  // namespace thalweg
