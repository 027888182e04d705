#pragma once
// Schedules: how the rate changes over a run. A schedule is a pure function of the position in a run, so that a resumed
// run needs no history; its value multiplies `optimizer.lr`, the only place where the rate is set.
//
// t is the step from 0. n is the schedule's length in steps: that of the run minus the warm-up, unless `length` is set.
// After n steps a schedule holds its last value. Durations in percent are of the steps after the warm-up.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg {

/// The position of a run: the next step (from 0), the number of steps, and the steps per epoch.
struct Progress {
  std::int64_t step = 0, total = 1, steps_per_epoch = 1;
  double plateau = 1;  ///< PlateauState::factor, for a schedule that watches a metric
};

/// The state of `reduce_on_plateau` between checks; checkpoints contain it.
struct PlateauState {
  std::optional<double> best = {};
  std::int64_t bad_checks = 0, cooldown = 0;
  double factor = 1;
  friend bool operator==(const PlateauState&, const PlateauState&) = default;
};

/// Cuts the rate when a metric no longer improves, as PyTorch's ReduceLROnPlateau: a check is bad if it does not
/// improve on the best by `threshold`. After *more* than `patience` bad checks, the rate is multiplied by `factor`.
struct PlateauRule {
  double factor = 0.1;
  std::int64_t patience = 10;
  double threshold = 1e-4;
  std::string threshold_mode = "relative";  ///< or "absolute"
  std::int64_t cooldown = 0;                ///< number of checks after a cut that cannot be bad
  double min = 0;                           ///< lower limit of the factor
  std::string mode = "min";                 ///< or "max", for a metric where higher is better
  std::string metric = "validation.loss";

  /// The state after a check that measured `value`; NaN is a bad check.
  [[nodiscard]] PlateauState observe(const PlateauState& state, double value) const;
};

/// A value: cheap to copy, safe to read from several threads.
class Schedule {
 public:
  using Curve = std::function<double(const Progress&)>;

  /// 1 at every step.
  Schedule();
  /// A schedule of your own: `Schedule("halving", {}, [](const Progress& p) { return std::exp2(-p.step / 1000.0); })`.
  Schedule(std::string name, OptionMap options, Curve factor, Curve momentum = {},
           std::optional<PlateauRule> plateau = {});

  [[nodiscard]] const std::string& name() const { return body_->name; }
  /// All options, including the defaults: `make_schedule(name(), options())` is the same schedule.
  [[nodiscard]] const OptionMap& options() const { return body_->options; }
  /// The factor of `optimizer.lr` at this step.
  [[nodiscard]] double factor(const Progress& progress) const { return body_->factor(progress); }
  /// The momentum (or beta1) at this step, if the schedule sets it.
  [[nodiscard]] std::optional<double> momentum(const Progress& progress) const;
  /// The rule that computes `Progress::plateau` from checks, if the schedule watches a metric.
  [[nodiscard]] const std::optional<PlateauRule>& plateau() const { return body_->plateau; }

 private:
  struct Body {
    std::string name;
    OptionMap options;
    Curve factor, momentum;
    std::optional<PlateauRule> plateau;
  };
  std::shared_ptr<const Body> body_;
};

namespace schedule {

struct ConstantOptions {
  Duration warmup = 0;
  double warmup_start = 0;
};
/// 1
Schedule constant(ConstantOptions options = {});

struct LinearOptions {
  double start = 1, end = 0;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// start + (end - start) t/n
Schedule linear(LinearOptions options = {});

struct PolynomialOptions {
  double end = 0, power = 1;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// end + (1 - end) (1 - t/n)^power. PyTorch's PolynomialLR where end is 0.
Schedule polynomial(PolynomialOptions options = {});

struct ExponentialOptions {
  double gamma = 0.1;
  Duration period = "50%", length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// gamma^(t/period). PyTorch's ExponentialLR where the period is one step.
Schedule exponential(ExponentialOptions options = {});

struct StepOptions {
  double gamma = 0.1;
  Duration period = "30%", length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// gamma^floor(t/period)
Schedule step(StepOptions options = {});

struct MultiStepOptions {
  std::vector<Duration> milestones = {"50%", "75%"};
  double gamma = 0.1;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// gamma^(number of milestones <= t)
Schedule multi_step(MultiStepOptions options = {});

struct CosineOptions {
  double end = 0;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// end + (1 - end) (1 + cos(pi t/n))/2, and holds at the end, where PyTorch's CosineAnnealingLR rises again.
/// (Loshchilov and Hutter 2017, equation 5)
Schedule cosine(CosineOptions options = {});

struct CosineRestartsOptions {
  Duration period = "25%";
  double factor = 1, end = 0;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// A cosine over each period; each period is `factor` times as long as the one before.
/// (SGDR, Loshchilov and Hutter 2017)
Schedule cosine_restarts(CosineRestartsOptions options = {});

struct OneCycleOptions {
  double pct_start = 0.3, start = 1.0 / 25, end = 1.0 / 25 * 1e-4;
  std::string anneal = "cosine";  ///< or "linear"
  bool three_phase = false;       ///< falls to start in as many steps as it rose, then to end
  bool cycle_momentum = true;
  double momentum_low = 0.85, momentum_high = 0.95;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// From start up to 1 over pct_start of the steps, then down to end; momentum goes the other way. With three phases it
/// first falls back to start in as many steps as it rose (momentum returns likewise), then to end; pct_start is at most
/// 1/2 then. (Smith and Topin 2018; PyTorch's OneCycleLR, whose last step is the end)
Schedule one_cycle(OneCycleOptions options = {});

struct CyclicOptions {
  double start = 0.1;
  Duration up = "10%", down = 0;    ///< steps of the rise and of the fall; down = 0 is as long as up
  std::string mode = "triangular";  ///< or "triangular2" (each cycle half as high), "exp_range" (gamma^t as high)
  double gamma = 1;
  bool cycle_momentum = false;
  double momentum_low = 0.8, momentum_high = 0.9;
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// Between start and 1 and back, again and again. (Smith 2017; PyTorch's CyclicLR)
Schedule cyclic(CyclicOptions options = {});

struct InverseTimeOptions {
  Duration timescale = "10%", length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// 1 / (1 + t/timescale)
Schedule inverse_time(InverseTimeOptions options = {});

struct InverseSquareRootOptions {
  Duration timescale = "10%", length = "100%", warmup = 0;
  double warmup_start = 0;
};
/// 1 / sqrt(1 + t/timescale)
Schedule inverse_square_root(InverseSquareRootOptions options = {});

struct NoamOptions {
  Duration warmup = "10%";
  double width = 0;  ///< width of the model; 0 scales the peak to 1
};
/// width^-0.5 min(s^-0.5, s w^-1.5), s = t + 1, w the warm-up. (Vaswani et al. 2017, equation 3)
Schedule noam(NoamOptions options = {});

struct WarmupStableDecayOptions {
  Duration decay = "20%";
  double end = 0;
  std::string shape = "linear";  ///< shape of the decay; or "cosine", "sqrt" (1 - sqrt of the finished part)
  Duration length = "100%", warmup = "5%";
  double warmup_start = 0;
};
/// 1 until the last `decay` steps, then down to end. (Hu et al. 2024; the shapes: Haegele et al. 2024)
Schedule warmup_stable_decay(WarmupStableDecayOptions options = {});

struct ReduceOnPlateauOptions {
  double factor = 0.1;
  std::int64_t patience = 10;
  double threshold = 1e-4;
  std::string threshold_mode = "relative";
  std::int64_t cooldown = 0;
  double min = 0;
  std::string mode = "min";
  std::string metric = "validation.loss";
  Duration warmup = 0;
  double warmup_start = 0;
};
/// The factor Progress::plateau, which PlateauRule computes.
Schedule reduce_on_plateau(ReduceOnPlateauOptions options = {});

/// A linear warm-up from `start` times the first value of `inner` up to that value; `inner` then runs over the
/// remaining steps. Throws UsageError when `inner` has a warm-up already.
Schedule warmup(const Schedule& inner, Duration length, double start = 0);

struct Part {
  Schedule schedule;
  std::optional<Duration> length = {};
};
/// One schedule after the other, each as if its part were the whole run: `join({{linear({.start = 0.1, .end = 1}),
/// 100}, {cosine()}})`. The last part's length may be left out: it is the rest of the run.
Schedule join(const std::vector<Part>& parts);

}  // namespace schedule

/// One row of the table of schedules.
struct ScheduleRow {
  std::string_view name, summary, formula, when, source;
  std::vector<OptionDoc> options = {};
  std::function<Schedule(const OptionMap&)> make = {};  ///< throws UsageError for invalid options
};
[[nodiscard]] std::span<const ScheduleRow> schedules();
/// By name, as a configuration gives it. Throws UsageError for an unknown name (naming the nearest) or a wrong option.
[[nodiscard]] Schedule make_schedule(std::string_view name, const OptionMap& options = {});

}  // namespace thalweg
