#pragma once
// The training of one configuration by the command, and of all its variants.

#include "cli/arguments.hpp"
#include "cli/ranks.hpp"

namespace thalweg::cli {

struct TrainArguments {
  ConfigArguments config;
  std::string out;
  bool resume = false, online = false, print_config = false, dry_run = false;
  std::int64_t stop_after = 0, folds = 0;
  RankOptions ranks = {};

  /// Whether a loop over single steps ends after this one. A resumed run may be beyond the step that was given.
  [[nodiscard]] bool ends_after(std::int64_t step) const { return stop_after > 0 && step >= stop_after; }
};

/// Trains one configuration and prints the results; returns the exit code.
int train_one(const TrainArguments& arguments, const NamedTree& named, LoadedConfig loaded, const Context& context);

/// Trains each variant of a configuration, in its own folder below that of the run, and writes a report of all
/// variants. A variant that diverges does not stop the others.
int train_variants(const TrainArguments& arguments, const NamedTree& named, const Context& context);

}  // namespace thalweg::cli
