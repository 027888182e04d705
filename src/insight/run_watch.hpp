#pragma once
// Looks at a run while it trains: at intervals, on a small part of its time, and without changing a bit of it.

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
  /// Of the time that passed, the part that looks may have taken. A look that the last one's time would carry beyond it
  /// is left out: what is due later is not. The first is always taken.
  double budget = 0.05;
};

/// Told of each step of Trainer::fit (FitOptions::on_step), in a run whose state began with step 0. What a look
/// measures is of the parameters before its step, of the objective that is trained, as it is trained (dropout,
/// statistics of the batch), and the same bits for any number of threads; which looks the budget leaves out depends on
/// the machine.
class RunWatch {
 public:
  /// `rows` are those that are trained on, and must outlive it.
  RunWatch(EvaluationFunction function, const Dataset& rows, const FitOptions& fit, const WatchOptions& options,
           int threads);

  /// Before the first step, of the run or of a resumed one: else no look is taken in it.
  void begin(const State& state);
  /// After each step, with the state as it then is.
  [[nodiscard]] std::optional<Look> after(const StepReport& step, const State& state);
  /// Looks that are due in a whole run.
  [[nodiscard]] std::int64_t due() const { return length_.steps / every_; }
  /// The time that looks took so far.
  [[nodiscard]] double seconds() const { return spent_; }
  /// Looks that the budget left out.
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
  std::optional<Products> products_, exact_;  // as trained; and without draws, for eigenvalues
  std::int64_t shard_size_;
  State before_;  // where the step to look at began; without parameters where none is to be looked at
  bool waits_ = false;
  Clock::time_point began_ = Clock::now();
  double spent_ = 0, last_ = 0;  // seconds
  std::int64_t left_out_ = 0;
};

}  // namespace thalweg
