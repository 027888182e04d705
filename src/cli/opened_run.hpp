#pragma once
// A run that has been trained, opened to be looked at: its configuration, its data, and its parameters.

#include "cli/session.hpp"
#include "engine/objective.hpp"

namespace thalweg::cli {

struct OpenedRun {
  std::filesystem::path folder;
  Config config;
  Optimizer optimizer;
  Session session;        ///< its trainer has the run's parameters
  History history;        ///< as metrics.jsonl has it
  State start;            ///< where it began
  State state;            ///< the parameters that the run saved
  bool finished = false;  ///< else they are those of the newest checkpoint

  /// The objective on plain data: without augmentation.
  [[nodiscard]] EvaluationFunction function(const Registry& registry) const;
  /// The rate of the last step that was recorded; that of the configuration where none was.
  [[nodiscard]] double last_lr() const;
};

/// A run folder. Throws UsageError for a folder that holds none, DataError where its training data has changed since.
[[nodiscard]] OpenedRun open_run(const std::string& folder, const Registry& registry,
                                 std::vector<std::string>& warnings);

/// So many of the rows, drawn once and for all by the seed, in their order; all where `count` is 0 or no fewer.
[[nodiscard]] Dataset fixed_rows(const Dataset& data, std::int64_t count, std::uint64_t seed);

/// What an option for it says: a number of rows, or "all", which gives 0. Throws UsageError.
[[nodiscard]] std::int64_t rows_asked(const std::string& text, const char* option);

}  // namespace thalweg::cli
