#pragma once
// What `compare` repeats: one walk on a problem, or one training of a configuration, by a method at a rate.

#include <functional>

#include "cli/arguments.hpp"
#include "cli/method.hpp"
#include "cli/target.hpp"

namespace thalweg::cli {

struct Experiment {
  std::string title;                   ///< what is done how often
  std::string measure;                 ///< what the result of a run is
  bool walk = false;                   ///< on a function; its value before the first step is `start`
  std::optional<double> minimum = {};  ///< of the function, where it is known
  std::vector<double> rates;           ///< the default
  std::int64_t seeds = 1;
  double start = 0;
  /// What a training gives that learned nothing but a constant; NaN where none fits.
  std::function<double()> nothing = {};
  /// The result of a run; infinite where it diverged: a number that is none, or a walk that ends above its start. Lower
  /// is better.
  std::function<double(const std::string& method, double lr, std::int64_t seed)> run;
};

struct WalkArguments {
  TargetArguments target;
  std::vector<std::string> sets;
  std::string schedule;
  std::int64_t steps = 1000, seeds = 5;
  double spread = 0.1;
};
/// Every run has the same number of evaluations: no rule stops it early. Seed 0 starts at x0, the others near it.
[[nodiscard]] Experiment walk_experiment(const WalkArguments& arguments, const Registry& registry);

/// Trainings without early stopping, on one split of the data; the seed gives parameters and order.
[[nodiscard]] Experiment training_experiment(const ConfigArguments& arguments, std::int64_t seeds,
                                             const Registry& registry);

/// Puts a rate among the options of a method, or of the one that it wraps.
void set_rate(const OptimizerRow& row, OptionMap& options, double lr);

}  // namespace thalweg::cli
