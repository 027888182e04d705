#pragma once
// How long a run is, in steps.

#include "thalweg/train.hpp"

namespace thalweg {

struct RunLength {
  std::int64_t batch = 1;  ///< rows per batch
  std::int64_t rows_a_step = 1, steps_an_epoch = 1, steps = 0;
};

/// Throws UsageError for a run of more than 2^53 steps: schedules count them in doubles.
[[nodiscard]] RunLength run_length(const FitOptions& options, std::int64_t rows);

}  // namespace thalweg
