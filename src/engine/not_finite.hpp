#pragma once
// Finds the origin of a number that is not finite.

#include "engine/shard_program.hpp"

namespace thalweg {

/// Throws NumericError for a step whose loss or gradient is not finite, naming the first origin that is found: a
/// parameter, a column of the data, or an op (the shards run again with all passes off, so that every result is
/// checked). `objective` names the objective where there are several: ", objective 'd'".
[[noreturn]] void explain_not_finite(std::span<const EvaluationFunction> objectives, const StepLayout& step,
                                     const State& state, const RowSelection& batch, std::int64_t shard_rows,
                                     Precision precision, double loss, const std::string& objective, Workers& workers);

}  // namespace thalweg
