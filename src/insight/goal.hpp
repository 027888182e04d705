#pragma once
// The verdict on a run that made its own rows: by what it was after.

#include "insight/verdict.hpp"

namespace thalweg {

/// By the levels of a metric of the epochs over fifths of the run; higher is better. Not judged where the metric's name
/// is empty, or few epochs have it: the loss on rows that change with what was learned says nothing.
[[nodiscard]] Verdict judge_goal(const History& history, const std::string& goal);

}  // namespace thalweg
