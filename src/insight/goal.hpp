#pragma once
// The verdict on a run that makes its own rows: by the metric that it is meant to raise.

#include "insight/verdict.hpp"

namespace thalweg {

/// Compares the levels of a metric of the epochs over fifths of the run; higher is better. Not judged where the
/// metric's name is empty or few epochs have it: the loss says nothing, because its rows change with what was learned.
[[nodiscard]] Verdict judge_goal(const History& history, const std::string& goal);

}  // namespace thalweg
