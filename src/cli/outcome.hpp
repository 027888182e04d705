#pragma once
// The end of a run: its model, its report, its metrics.

#include "cli/session.hpp"
#include "insight/verdict.hpp"
#include "run/run.hpp"
#include "train/baseline.hpp"

namespace thalweg::cli {

/// Saves the model, measures it, writes the report and prints the results.
void finish_run(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                const History& history, const Context& context);

/// The same for a run that has already ended or was stopped; it saves only the report.
void report_again(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                  const History& history, const Context& context);

/// The baselines shown beside the figures of a model: the best constant, and a linear fit if that is cheap.
[[nodiscard]] std::vector<Baseline> shown_baselines(const Session& session, const Config& config,
                                                    const Registry& registry);

/// The losses that a model of this session has to beat, from the baselines of its training rows.
[[nodiscard]] JudgeOptions constants_of(const std::vector<Baseline>& baselines, const Session& session);

/// Adds the facts about a session that its verdict depends on: its objectives, and, if it makes its own rows, the
/// metric that it improves.
[[nodiscard]] JudgeOptions with_session(JudgeOptions options, const Session& session);

/// The metrics of each baseline on such data. For classes, the name of the constant is the class that it always
/// predicts.
[[nodiscard]] std::vector<NamedMetrics> metrics_of(const std::vector<Baseline>& baselines, const Recipe& recipe,
                                                   const Dataset& data);

/// Only the verdict, for a run that failed and has no model. The advice of the verdict is tried before it is printed.
void emit_failure(Session& session, const Config& config, const RunFolder& folder, const History& history,
                  const JudgeOptions& failure, const Context& context);

/// Trains once per fold and prints the mean and the spread of each metric over the folds. Every row is predicted by the
/// training that did not see it; the predictions are written to the folder `out`, or to the next free name.
int cross_validate(const LoadedConfig& loaded, std::int64_t folds, const std::filesystem::path& out,
                   const Context& context);

}  // namespace thalweg::cli
