#pragma once
// A verdict as the terminal and as JSON show it.

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "insight/verdict.hpp"
#include "run/run.hpp"

namespace thalweg::cli {

/// outcome.json of the run's folder: the figures, and the verdict.
void save_outcome(const RunFolder& folder, const nlohmann::ordered_json& outcome);
/// The sentence, what was tried, and the advice.
void emit_verdict(const Verdict& verdict);
/// Of a run that ended in a failure and has no model to show: the evidence, the verdict and where its report is.
void emit_failed(const RunFolder& folder, const Verdict& verdict, bool json);
[[nodiscard]] nlohmann::ordered_json verdict_json(const Verdict& verdict);

/// What a run left of its outcome: the figures of the rows that it held out, where it did, and the verdict.
struct LeftOutcome {
  Metrics validation;  ///< "validation.loss" first
  Verdict verdict;     ///< its kind, its sentence and its advice
};
/// Nothing where the folder has none, or none that can be read.
[[nodiscard]] std::optional<LeftOutcome> outcome_in(const std::filesystem::path& folder);

}  // namespace thalweg::cli
