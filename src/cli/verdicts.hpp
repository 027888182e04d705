#pragma once
// Prints verdicts on the terminal and as JSON.

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "insight/verdict.hpp"
#include "run/run.hpp"

namespace thalweg::cli {

/// Writes the figures and the verdict to outcome.json in the folder of the run.
void save_outcome(const RunFolder& folder, const nlohmann::ordered_json& outcome);
/// Prints the sentence, the results of trials, and the advice.
void emit_verdict(const Verdict& verdict);
/// For a run that failed and has no model: prints the evidence, the verdict and the path of its report.
void emit_failed(const RunFolder& folder, const Verdict& verdict, bool json);
[[nodiscard]] nlohmann::ordered_json verdict_json(const Verdict& verdict);

/// The outcome that a run saved: the figures on its held-out rows, if there are any, and the verdict.
struct LeftOutcome {
  Metrics validation;  ///< "validation.loss" first
  Verdict verdict;     ///< its kind, its sentence and its advice
};
/// Empty if the folder has no outcome, or one that cannot be read.
[[nodiscard]] std::optional<LeftOutcome> outcome_in(const std::filesystem::path& folder);

}  // namespace thalweg::cli
