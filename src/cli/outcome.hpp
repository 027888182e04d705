#pragma once
// What a run comes to: the model, the report, the figures.

#include "cli/session.hpp"
#include "insight/verdict.hpp"
#include "run/run.hpp"

namespace thalweg::cli {

/// Saves the model, measures it, writes the report and prints how it went.
void finish_run(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                const History& history, const Context& context);

/// The verdict alone, of a run that ended in a failure and has no model to show. What it advises is tried first.
void emit_failure(const Session& session, const Config& config, const RunFolder& folder, const History& history,
                  const JudgeOptions& failure, const Context& context);

/// Trains once a fold, and prints each metric's mean and spread over the folds.
int cross_validate(const LoadedConfig& loaded, std::int64_t folds, const Context& context);

}  // namespace thalweg::cli
