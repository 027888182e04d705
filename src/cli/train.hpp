#pragma once
// One training as the command runs it, and several of them: the variants of a configuration.

#include "cli/arguments.hpp"
#include "cli/ranks.hpp"

namespace thalweg::cli {

struct TrainArguments {
  ConfigArguments config;
  std::string out;
  bool resume = false, online = false, print_config = false, dry_run = false;
  std::int64_t stop_after = 0, folds = 0;
  RankOptions ranks = {};
};

/// Trains one configuration and prints how it went; gives the exit code.
int train_one(const TrainArguments& arguments, const NamedTree& named, LoadedConfig loaded, const Context& context);

/// Trains each variant of a configuration, in a folder of its own below that of the run, and writes a report of all.
/// One that diverges does not stop the others.
int train_variants(const TrainArguments& arguments, const NamedTree& named, const Context& context);

}  // namespace thalweg::cli
