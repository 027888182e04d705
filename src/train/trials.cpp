#include "train/trials.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "core/error.hpp"
#include "data/split.hpp"
#include "engine/run_length.hpp"
#include "optim/descent.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_measured = 4096;  // rows over which a loss is measured
constexpr double infinite = std::numeric_limits<double>::infinity();

double finite(double loss) { return std::isfinite(loss) ? loss : infinite; }

/// Interpolates the trained parameters: `part` of the way from one state to another.
State between(const State& from, const State& to, double part) {
  State result = from;
  for (std::int64_t i = 0; i < from.layout->trained_size; ++i)
    result.parameters.set(i, from.parameters.at(i) + part * (to.parameters.at(i) - from.parameters.at(i)));
  return result;
}

/// The lowest loss among step lengths a factor of four apart: upwards from `lr`, or downwards if the loss at `lr` is
/// not below that of the start.
LineSearch lowest_along(std::int64_t rows, double lr, const std::function<double(double)>& loss_at) {
  constexpr int most_tried = 6;
  LineSearch best{.rows = rows, .before = loss_at(0)};
  best.after = best.before;
  double loss = loss_at(lr);
  const double factor = loss < best.before ? 4 : 0.25;
  for (int tried = 1; tried < most_tried && (factor < 1) == !(loss < best.after); ++tried) {
    if (factor > 1) best.lr = lr, best.after = loss;
    loss = loss_at(lr *= factor);
  }
  if (loss < best.after) best.lr = lr, best.after = loss;
  return best;
}

/// The options of a trial: no checkpoints, callbacks or early stopping.
FitOptions bare(const FitOptions& run) {
  FitOptions fit{.batch_size = run.batch_size,
                 .shard_size = run.shard_size,
                 .accumulate = run.accumulate,
                 .memory = run.memory,
                 .precision = run.precision,
                 .shuffle = run.shuffle,
                 .seed = run.seed};
  return fit;
}

class Trial {
 public:
  Trial(MakeTrainer make, const Optimizer& optimizer, const Dataset& training, const FitOptions& run, State end)
      : make_(std::move(make)), optimizer_(optimizer), training_(training), fit_(bare(run)), end_(std::move(end)) {
    const RunLength length = run_length(run, training.rows());
    const std::int64_t budget = std::max<std::int64_t>(20, length.steps * 3 / 100);
    steps_ = budget * 2 / 5;
    const std::int64_t batch = run.batch_size > 0 ? run.batch_size : training.rows();
    line_rows_ = std::min({training.rows(), most_measured, batch * (budget / 20)});
    measured_ = data::spread_rows(training, most_measured);
  }

  [[nodiscard]] std::int64_t steps() const { return steps_; }

  [[nodiscard]] double now() const { return loss_at(end_); }
  [[nodiscard]] double at_start() const { return loss_at(start()); }

  [[nodiscard]] double onward(double lr) const { return after(at(lr, Schedule{}), end_); }

  /// With the run's schedule, shortened to the steps of the trial.
  [[nodiscard]] double afresh(double lr) const { return after(at(lr, optimizer_.schedule), start()); }

  /// The gradient is derived from the change of one plain step. The step is taken twice: a tiny one to find the
  /// gradient's norm, then one as long as the parameters' norm, so that rounding does not lose digits of the gradient.
  [[nodiscard]] LineSearch along(double lr) const {
    const Dataset rows = data::spread_rows(training_, line_rows_);
    try {
      const State start = without_slots();
      const double slope = step(start, rows, 1e-30).second;
      if (!(slope > 0) || !std::isfinite(slope)) return {};
      const double far = std::max(norm_of(start.parameters), 1.0) / slope;
      const State there = step(start, rows, far).first;
      Trainer trainer = make_(optim::sgd());
      return lowest_along(rows.rows(), lr, [&](double length) {
        trainer.set_state(between(start, there, length / far));
        return finite(trainer.evaluate(rows)["loss"]);
      });
    } catch (const NumericError&) {
      return {};
    }
  }

  [[nodiscard]] std::vector<double> norms() const { return norms_at(end_); }
  [[nodiscard]] std::vector<double> norms_at_start() const { return norms_at(start()); }

 private:
  [[nodiscard]] State start() const {
    Trainer fresh = make_(optimizer_);
    fresh.init(training_.slice(0, 1), fit_.seed);
    return fresh.state();
  }

  [[nodiscard]] std::vector<double> norms_at(const State& state) const {
    FitOptions fit = fit_;
    fit.steps = 1;
    fit.layer_norms = true;
    try {
      Trainer trainer = make_(optimizer_);
      trainer.set_state(state);
      return trainer.fit(training_, fit).steps.back().layer_norms;
    } catch (const NumericError&) {
      return {};
    }
  }

  [[nodiscard]] Optimizer at(double lr, Schedule schedule) const {
    Optimizer optimizer = optimizer_;
    optimizer.lr = lr;
    optimizer.schedule = std::move(schedule);
    return optimizer;
  }

  [[nodiscard]] double after(Optimizer optimizer, State from) const {
    FitOptions fit = fit_;
    fit.steps = steps_;
    try {
      Trainer trainer = make_(std::move(optimizer));
      trainer.set_state(std::move(from));
      trainer.fit(training_, fit);
      return loss_of(trainer);
    } catch (const NumericError&) {
      return infinite;
    }
  }

  /// The final state of the run without slots, for a method that has none.
  [[nodiscard]] State without_slots() const {
    Trainer trainer = make_(optim::sgd());
    trainer.init(training_.slice(0, 1), fit_.seed);
    State state = trainer.state();
    for (const ParameterEntry& entry : state.layout->entries)
      state.set_parameter(entry.name, end_.parameter(entry.name));
    return state;
  }

  /// The state after one plain step on all of these rows, and the gradient's norm.
  [[nodiscard]] std::pair<State, double> step(const State& from, const Dataset& rows, double lr) const {
    FitOptions fit = fit_;
    fit.batch_size = 0;
    fit.steps = 1;
    Trainer trainer = make_(optim::sgd({.lr = lr}));
    trainer.set_state(from);
    const double norm = trainer.fit(rows, fit).steps.back().gradient_norm;
    return {trainer.state(), norm};
  }

  [[nodiscard]] double loss_at(State state) const {
    Trainer trainer = make_(optimizer_);
    trainer.set_state(std::move(state));
    return loss_of(trainer);
  }

  [[nodiscard]] double loss_of(Trainer& trainer) const { return finite(trainer.evaluate(measured_)["loss"]); }

  MakeTrainer make_;
  Optimizer optimizer_;
  // the latter are spread over all rows, because sorted data may begin with rows of a single class
  Dataset training_, measured_;
  FitOptions fit_;
  State end_;
  std::int64_t steps_ = 1;
  std::int64_t line_rows_ = 1;
};

}  // namespace

std::optional<Trials> trials_of(MakeTrainer make, const Optimizer& optimizer, const Dataset& training,
                                const FitOptions& run, State end) {
  if (training.streams()) return std::nullopt;
  const auto trial = std::make_shared<const Trial>(std::move(make), optimizer, training, run, std::move(end));
  return Trials{.steps = trial->steps(),
                .now = [trial] { return trial->now(); },
                .at_start = [trial] { return trial->at_start(); },
                .onward = [trial](double lr) { return trial->onward(lr); },
                .afresh = [trial](double lr) { return trial->afresh(lr); },
                .along = [trial](double lr) { return trial->along(lr); },
                .norms = [trial] { return trial->norms(); },
                .norms_at_start = [trial] { return trial->norms_at_start(); }};
}

}  // namespace thalweg
