#pragma once
// Measures a run while it trains: at intervals, with a small part of its time, and without changing a bit of the
// result.

#include <chrono>
#include <memory>
#include <optional>

#include "engine/products.hpp"
#include "engine/row_order.hpp"
#include "insight/look.hpp"

namespace thalweg {

struct WatchOptions {
  Duration every = "1 epoch";  ///< a look is due in each step whose number this divides
  bool largest = false;        ///< the largest eigenvalue of the Hessian as well: some twenty products
  /// The fraction of the elapsed time that looks may take. A look is left out if one as long as the last would exceed
  /// this; a later one may be taken again. The first look is always taken.
  double budget = 0.05;
};

/// Is told of each step of Trainer::fit (FitOptions::on_step), in a run whose state began with step 0. A look measures
/// the parameters before its step with the trained objective, as in training (dropout, statistics of the batch). Its
/// bits are the same for any number of threads, but the looks that the budget leaves out depend on the machine.
class RunWatch {
 public:
  /// `rows` are the training rows; they must outlive the watch.
  RunWatch(EvaluationFunction function, const Dataset& rows, const FitOptions& fit, const WatchOptions& options,
           int threads);

  /// Call before the first step of a run or of a resumed run; otherwise no look is taken in that step.
  void begin(const State& state);
  /// Call after each step, with the state at that moment.
  [[nodiscard]] std::optional<Look> after(const StepReport& step, const State& state);
  /// Number of looks that are due in a whole run.
  [[nodiscard]] std::int64_t due() const { return length_.steps / every_; }
  /// The time of all looks so far.
  [[nodiscard]] double seconds() const { return spent_; }
  /// Number of looks that the budget left out.
  [[nodiscard]] std::int64_t left_out() const { return left_out_; }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] Look look(const StepReport& step, const State& state);
  void measure_noise(Look& look, std::int64_t step);
  void measure_layers(Look& look, const State& state, std::int64_t step);
  void measure_sharpness(Look& look);
  void remember(const State& state);

  EvaluationFunction function_;
  const Dataset& rows_;
  WatchOptions options_;
  RunLength length_;
  RowOrder order_;
  std::uint64_t seed_;
  std::int64_t every_;
  Workers workers_;
  std::optional<Products> products_, exact_;  // as in training; and without random numbers, for eigenvalues
  std::int64_t shard_size_;
  State before_;  // the state before the step of a look; without parameters where no look is due
  bool waits_ = false;
  Clock::time_point began_ = Clock::now();
  double spent_ = 0, last_ = 0;  // seconds
  std::int64_t left_out_ = 0;
};

}  // namespace thalweg
