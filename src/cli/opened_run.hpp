#pragma once
// An existing run, read from its folder: its configuration, its data, and its parameters.

#include "cli/session.hpp"
#include "engine/objective.hpp"

namespace thalweg::cli {

/// Which parameters of a stopped run are read. For a finished run they are those of its model.
enum class Parameters {
  newest,    ///< those of the newest checkpoint
  evaluated  ///< those used to evaluate it: the best so far if the run restores these, or their moving average
};

struct OpenedRun {
  std::filesystem::path folder;
  std::string name;
  Config config;
  Optimizer optimizer;
  Session session;               ///< its trainer has the run's parameters
  History history = {};          ///< read from metrics.jsonl
  State start = {}, state = {};  ///< at the start of the run, and now
  bool finished = false;
  bool is_best = false;          ///< the parameters are the best so far, and not those of the last step
  std::string average = {};      ///< the moving average with which a system is evaluated; empty if there is none
  std::int64_t total_steps = 0;  ///< of the whole run; 0 if no checkpoint tells it

  /// The objective on plain data: without augmentation. Throws UsageError for a system.
  [[nodiscard]] EvaluationFunction function(const Registry& registry) const;
  /// The rate of the last recorded step; that of the configuration if none was recorded.
  [[nodiscard]] double last_lr() const;
};

/// The parameters that the optimizer of a single objective evaluates with, in the middle of a run.
[[nodiscard]] Tensor evaluated_parameters(const State& state, const Optimizer& optimizer);

/// With `threads` threads; 0: as the run was configured. Throws UsageError if it is not a run folder or if the run has
/// no parameters yet, DataError if the data has changed.
[[nodiscard]] OpenedRun open_run(const std::filesystem::path& folder, Parameters parameters, const Registry& registry,
                                 std::vector<std::string>& warnings, int threads = 0);

/// A stopped run of a model, with these rows to test on and with its evaluated parameters. Its own data is not read,
/// because it may have changed.
[[nodiscard]] OpenedRun open_stopped(const std::filesystem::path& folder, const Recipe& recipe, const Dataset& rows,
                                     const Registry& registry, std::vector<std::string>& warnings, int threads = 0);

/// `count` of the rows, drawn by the seed alone, in their order. All rows if `count` is 0 or larger than their number.
[[nodiscard]] Dataset fixed_rows(const Dataset& data, std::int64_t count, std::uint64_t seed);

/// The value of an option for it: a number of rows, or "all", which gives 0. Throws UsageError.
[[nodiscard]] std::int64_t rows_asked(const std::string& text, const char* option);

}  // namespace thalweg::cli
