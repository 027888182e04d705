#pragma once
// The end of a run: its model, its report, its metrics.

#include "cli/session.hpp"
#include "insight/verdict.hpp"
#include "run/run.hpp"
#include "train/baseline.hpp"

namespace thalweg::cli {

/// Saves the model, measures it, writes the report and prints how it went.
void finish_run(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                const History& history, const Context& context);

/// The same of a run that ended before, or was stopped, without saving anything but the report.
void report_again(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                  const History& history, const Context& context);

/// What the figures of a model stand beside: the best constant, and a linear fit where that is cheap.
[[nodiscard]] std::vector<Baseline> shown_baselines(const Session& session, const Config& config,
                                                    const Registry& registry);

/// What a model of this session has to beat, by the baselines of the rows as it is trained on them.
[[nodiscard]] JudgeOptions constants_of(const std::vector<Baseline>& baselines, const Session& session);

/// The options with what a session says of its run's verdict: how many objectives it has, and what a run that makes its
/// own rows is after.
[[nodiscard]] JudgeOptions with_session(JudgeOptions options, const Session& session);

/// What each baseline has on such data; of classes the constant is called by the one that it always predicts.
[[nodiscard]] std::vector<NamedMetrics> metrics_of(const std::vector<Baseline>& baselines, const Recipe& recipe,
                                                   const Dataset& data);

/// The verdict alone, of a run that ended in a failure and has no model to show. What it advises is tried first.
void emit_failure(Session& session, const Config& config, const RunFolder& folder, const History& history,
                  const JudgeOptions& failure, const Context& context);

/// Trains once a fold, prints each metric's mean and spread over the folds, and leaves the predictions of every row by
/// the training that did not see it, in the folder `out` or the next that is free.
int cross_validate(const LoadedConfig& loaded, std::int64_t folds, const std::filesystem::path& out,
                   const Context& context);

}  // namespace thalweg::cli
