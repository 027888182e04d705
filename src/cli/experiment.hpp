#pragma once
// The experiment that `compare` repeats: a walk on a problem, or a training of a configuration, with a method and a
// rate.

#include <functional>

#include "cli/arguments.hpp"
#include "cli/method.hpp"
#include "cli/target.hpp"

namespace thalweg::cli {

struct Experiment {
  std::string title;                   ///< describes the runs and their number
  std::string measure;                 ///< describes the result of a run
  bool walk = false;                   ///< a minimisation of a function, whose value before the first step is `start`
  std::optional<double> minimum = {};  ///< of the function, if it is known
  std::vector<double> rates;           ///< the default rates
  std::int64_t seeds = 1;
  double start = 0;
  /// The result of a training that learned only a constant; NaN if there is no such constant.
  std::function<double()> nothing = {};
  /// The result of a run; lower is better. Infinite if it diverged: its value is not finite, or a walk ends above its
  /// start.
  std::function<double(const std::string& method, double lr, std::int64_t seed)> run;
};

struct WalkArguments {
  TargetArguments target;
  std::vector<std::string> sets;
  std::string schedule;
  std::int64_t steps = 1000, seeds = 5;
  double spread = 0.1;
};
/// Every run has the same number of evaluations: there is no early stop. Seed 0 starts at x0, the other seeds near it.
[[nodiscard]] Experiment walk_experiment(const WalkArguments& arguments, const Registry& registry);

/// Trainings without early stopping, on one split of the data. The seed decides the initial parameters and the order of
/// the rows.
[[nodiscard]] Experiment training_experiment(const ConfigArguments& arguments, std::int64_t seeds,
                                             const Registry& registry);

}  // namespace thalweg::cli
