#pragma once
// A verdict as the terminal and as JSON show it.

#include <nlohmann/json_fwd.hpp>

#include "insight/verdict.hpp"
#include "run/run.hpp"

namespace thalweg::cli {

/// The sentence, what was tried, and the advice.
void emit_verdict(const Verdict& verdict);
/// Of a run that ended in a failure and has no model to show: the evidence, the verdict and where its report is.
void emit_failed(const RunFolder& folder, const Verdict& verdict, bool json);
[[nodiscard]] nlohmann::ordered_json verdict_json(const Verdict& verdict);

}  // namespace thalweg::cli
