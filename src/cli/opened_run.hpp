#pragma once
// A run folder opened again: its configuration, its data, and its parameters.

#include "cli/session.hpp"
#include "engine/objective.hpp"

namespace thalweg::cli {

/// Which parameters of a run that was stopped; a finished run has those of its model.
enum class Parameters {
  newest,    ///< where its newest checkpoint stands
  evaluated  ///< what it would be evaluated with: the best so far, or their average, where it keeps such
};

struct OpenedRun {
  std::filesystem::path folder;
  std::string name;
  Config config;
  Optimizer optimizer;
  Session session;               ///< its trainer has the run's parameters
  History history = {};          ///< as metrics.jsonl has it
  State start = {}, state = {};  ///< where it began, and where it is
  bool finished = false;
  bool is_best = false;          ///< the parameters are the best so far, and not those of the last step
  std::string average = {};      ///< a moving average of a system's parameters, which are evaluated in their place
  std::int64_t total_steps = 0;  ///< of the run as it was asked for; 0 where no checkpoint says

  /// The objective on plain data: without augmentation. Throws UsageError for a system.
  [[nodiscard]] EvaluationFunction function(const Registry& registry) const;
  /// The rate of the last step that was recorded; that of the configuration where none was.
  [[nodiscard]] double last_lr() const;
};

/// Throws UsageError for anything but a run folder and for a run that has no parameters yet, DataError where its data
/// has changed since.
[[nodiscard]] OpenedRun open_run(const std::filesystem::path& folder, Parameters parameters, const Registry& registry,
                                 std::vector<std::string>& warnings);

/// A run of a model that was stopped, without its own data, which may have changed: with these rows to test on, and the
/// parameters that it would be evaluated with.
[[nodiscard]] OpenedRun open_stopped(const std::filesystem::path& folder, const Recipe& recipe, const Dataset& rows,
                                     const Registry& registry, std::vector<std::string>& warnings);

/// So many of the rows, drawn once and for all by the seed, in their order; all where `count` is 0 or no fewer.
[[nodiscard]] Dataset fixed_rows(const Dataset& data, std::int64_t count, std::uint64_t seed);

/// What an option for it says: a number of rows, or "all", which gives 0. Throws UsageError.
[[nodiscard]] std::int64_t rows_asked(const std::string& text, const char* option);

}  // namespace thalweg::cli
