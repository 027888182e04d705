#pragma once
// Finds the origin of a number that is not finite.

#include "engine/shard_program.hpp"

namespace thalweg {

/// A loss or a gradient of an objective that is not finite in a step.
struct NotFinite {
  double loss, gradient_norm;
  std::string objective;  ///< ", objective 'd'" where there are several
};

/// The message about it.
struct Explanation {
  std::string message;
  bool found = true;  ///< whether it names an origin
};

/// Names the first origin that is found in this process's rows: a parameter, a column of the data, or an op (the shards
/// run again with all passes off, so that every result is checked). For a step in bf16 that would be finite in f32, the
/// message says so.
[[nodiscard]] Explanation explain_not_finite(std::span<const EvaluationFunction> objectives, const StepLayout& step,
                                             const State& state, const RowSelection& batch, std::int64_t shard_rows,
                                             Precision precision, const NotFinite& found, Workers& workers);

}  // namespace thalweg
