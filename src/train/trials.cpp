#include "train/trials.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "core/error.hpp"
#include "engine/run_length.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_measured = 4096;  // rows that a loss is taken over
constexpr double infinite = std::numeric_limits<double>::infinity();

/// How a trial trains: nothing is kept, watched or stopped early.
FitOptions bare(const FitOptions& run) {
  FitOptions fit{.batch_size = run.batch_size,
                 .shard_size = run.shard_size,
                 .accumulate = run.accumulate,
                 .memory = run.memory,
                 .shuffle = run.shuffle,
                 .seed = run.seed};
  return fit;
}

class Trial {
 public:
  Trial(MakeTrainer make, const Optimizer& optimizer, const Dataset& training, const FitOptions& run, State end)
      : make_(std::move(make)), optimizer_(optimizer), training_(training), fit_(bare(run)), end_(std::move(end)) {
    const RunLength length = run_length(run, training.rows());
    steps_ = std::max<std::int64_t>(10, length.steps * 3 / 200);
  }

  [[nodiscard]] std::int64_t steps() const { return steps_; }

  [[nodiscard]] double now() const {
    Trainer trainer = make_(optimizer_);
    trainer.set_state(end_);
    return loss_of(trainer);
  }

  [[nodiscard]] double onward(double lr) const { return after(at(lr, Schedule{}), end_); }

  /// With the schedule that the run had, as far as these steps take it.
  [[nodiscard]] double afresh(double lr) const {
    Trainer fresh = make_(optimizer_);
    fresh.init(training_.slice(0, 1), fit_.seed);
    return after(at(lr, optimizer_.schedule), fresh.state());
  }

  [[nodiscard]] std::vector<double> norms() const {
    FitOptions fit = fit_;
    fit.steps = 1;
    fit.layer_norms = true;
    try {
      Trainer trainer = make_(optimizer_);
      trainer.set_state(end_);
      return trainer.fit(training_, fit).steps.back().layer_norms;
    } catch (const NumericError&) {
      return {};
    }
  }

 private:
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

  [[nodiscard]] double loss_of(Trainer& trainer) const {
    const double loss = trainer.evaluate(training_.slice(0, std::min(training_.rows(), most_measured)))["loss"];
    return std::isfinite(loss) ? loss : infinite;
  }

  MakeTrainer make_;
  Optimizer optimizer_;
  Dataset training_;
  FitOptions fit_;
  State end_;
  std::int64_t steps_ = 1;
};

}  // namespace

std::optional<Trials> trials_of(MakeTrainer make, const Optimizer& optimizer, const Dataset& training,
                                const FitOptions& run, State end) {
  if (training.streams()) return std::nullopt;
  const auto trial = std::make_shared<const Trial>(std::move(make), optimizer, training, run, std::move(end));
  return Trials{.steps = trial->steps(),
                .now = [trial] { return trial->now(); },
                .onward = [trial](double lr) { return trial->onward(lr); },
                .afresh = [trial](double lr) { return trial->afresh(lr); },
                .norms = [trial] { return trial->norms(); }};
}

}  // namespace thalweg
