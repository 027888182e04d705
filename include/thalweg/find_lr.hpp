#pragma once
// Finding the learning rate: a range test (Smith 2017), suggestions from its curve, and short trainings that decide.
//
// The range test trains with a rate that grows exponentially from `start` to `end`, step by step, until the loss
// diverges. Its curve gives a few suggestions, but such heuristics are often wrong by a factor of ten. So the rates
// around them are tested in trials: the same training, with its schedule compressed into a part of its steps. The best
// rate is recommended. The search uses its own parameters: it changes no data of the caller and writes no files.

#include <functional>
#include <string>
#include <vector>

#include "thalweg/stop.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// A rate that was tried, and the final loss, on the validation rows if there are any, otherwise on the training rows.
/// Infinite if the trial diverged.
struct LrTrial {
  double lr = 0, loss = 0;
};

struct FindLrOptions {
  double start = 1e-6, end = 10;  ///< rates of the sweep
  std::int64_t steps = 100;       ///< steps of the sweep
  double smoothing = 0.9;         ///< decay of the running mean of its losses, with bias correction
  Duration trial = "10%";         ///< length of a trial; a percentage means at least 1000 steps
  int trials = 7;                 ///< the largest number of trials; 0: the curve decides
  int threads = 0;                ///< 0 is every core
  Stop stop = {};
  std::function<void(const LrTrial&)> on_trial = {};
};

/// One step of the sweep.
struct LrPoint {
  std::int64_t step = 0;  ///< from 1
  double lr = 0, loss = 0, smoothed = 0;
};

struct LrSuggestion {
  std::string name;  ///< "steepest", "valley", "minimum / 10", "trials"
  double lr = 0;
  double confidence = 0;  ///< from 0 to 1
  std::string reason;
};

struct LrFinding {
  std::vector<LrPoint> curve;
  bool diverged = false;                  ///< the sweep ended before its last step because the loss diverged
  std::vector<LrSuggestion> suggestions;  ///< the recommended one first
  std::vector<LrTrial> trials;            ///< in ascending order of the rate
  std::int64_t trial_steps = 0;           ///< steps of each trial
  std::int64_t steps = 0, samples = 0;    ///< total of the sweep and all trials
  double seconds = 0;
  bool stopped = false;  ///< by the stop token; then the results are incomplete

  /// Recommended. Throws UsageError if there is no suggestion, because the search was stopped.
  [[nodiscard]] double lr() const;
};

/// Finds a rate for a training with the options `run` (length, batches, seed, validation rows); its on_step is called
/// for every step of the search. The optimizer's own rate has no effect. Throws UsageError for invalid options, and
/// where every rate diverges.
[[nodiscard]] LrFinding find_lr(const ModelFunction& model, const LossFunction& loss, const Optimizer& optimizer,
                                const Dataset& data, const FitOptions& run, const FindLrOptions& options = {});
[[nodiscard]] LrFinding find_lr(const Objective& objective, const Optimizer& optimizer, const Dataset& data,
                                const FitOptions& run, const FindLrOptions& options = {});

}  // namespace thalweg
