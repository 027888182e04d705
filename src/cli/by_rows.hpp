#pragma once
// Checks the verdict on a run row by row. A verdict comes from mean losses, and a difference of two of them may be
// chance: where rows are few, where one row has most of the loss, or where an epoch was the best of many.

#include "cli/session.hpp"
#include "insight/verdict.hpp"
#include "run/run.hpp"
#include "train/baseline.hpp"

namespace thalweg::cli {

/// The figures of a run on one part of its data, and those of the baselines.
struct Measured {
  std::string name;  ///< "validation", "test"
  const Dataset* data;
  Evaluation evaluation;
  std::vector<NamedMetrics> baselines;
  metric::Weights weights = {};  ///< the weights of the rows, if they differ

  [[nodiscard]] std::string note(const Recipe& recipe) const {
    return metrics_note(evaluation.rows, recipe, data->has("weight"));
  }
};
/// The origin of the rows of this part.
[[nodiscard]] const Origin& origin_of(const Session& session, const Measured& measured);

/// A run that has ended, with its baselines: those that it was compared with, and those that are shown.
struct EndedRun {
  Session& session;
  const Config& config;
  const RunFolder& folder;
  const History& history;
  const JudgeOptions& constants;
  const std::vector<Baseline>&baselines, &shown;
  const std::vector<Measured>& measured;
  const Registry& registry;
};

/// Corrects the verdict where the rows do not bear it out. `again` judges the run with other options.
/// - "Learned nothing" needs rows that show it: not a model that is better on most of them, nor too few rows, nor one
///   row that has most of the loss. A run that ended well must not be worse than the constant on its test rows.
/// - "Overfits" needs a validation loss that rose by more than chance between the best epoch and the last, in pairs of
/// rows.
/// - Neither "learned nothing" nor "converged" is the whole truth where a linear fit of the same inputs is far better.
void check_by_rows(Verdict& verdict, const EndedRun& run, const std::function<Verdict(JudgeOptions)>& again);

}  // namespace thalweg::cli
