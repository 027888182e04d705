#pragma once
// Finding the learning rate: a range test (Smith 2017), suggestions from its curve, and short trainings that decide.
//
// The range test trains with a rate that grows exponentially from `start` to `end`, step by step, until the loss blows
// up. Its curve gives a few suggestions; such heuristics often miss by a factor of ten. So the rates around them are
// tried in trials: the run itself, with its schedule compressed into a part of its steps. The best rate is recommended.
// All of it works on parameters of its own: it changes nothing of the caller's and writes no files.

#include <functional>
#include <string>
#include <vector>

#include "thalweg/stop.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// A rate that was tried, and the loss at the end: of the validation rows where there are any, else of the training
/// rows; infinite where the trial diverged.
struct LrTrial {
  double lr = 0, loss = 0;
};

struct FindLrOptions {
  double start = 1e-6, end = 10;  ///< rates of the sweep
  std::int64_t steps = 100;       ///< of the sweep
  double smoothing = 0.9;         ///< decay of the running mean of its losses, which is de-biased
  Duration trial = "10%";         ///< length of a trial; as a part of the run, at least 1000 of its steps
  int trials = 7;                 ///< at most; 0: the curve decides
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
  bool diverged = false;                  ///< the sweep ended before its last step because the loss blew up
  std::vector<LrSuggestion> suggestions;  ///< the recommended one first
  std::vector<LrTrial> trials;            ///< in ascending order of the rate
  std::int64_t trial_steps = 0;           ///< of each
  std::int64_t steps = 0, samples = 0;    ///< of the sweep and all trials
  double seconds = 0;
  bool stopped = false;  ///< by the stop token: the results are incomplete

  [[nodiscard]] double lr() const { return suggestions.front().lr; }  ///< recommended
};

/// For training like `run` (its length, batches, seed and validation rows); its on_step sees every step taken here. The
/// optimizer's own rate has no effect. Throws UsageError for invalid options, and where every rate diverges.
[[nodiscard]] LrFinding find_lr(const ModelFunction& model, const LossFunction& loss, const Optimizer& optimizer,
                                const Dataset& data, const FitOptions& run, const FindLrOptions& options = {});
[[nodiscard]] LrFinding find_lr(const Objective& objective, const Optimizer& optimizer, const Dataset& data,
                                const FitOptions& run, const FindLrOptions& options = {});

}  // namespace thalweg
