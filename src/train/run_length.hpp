#pragma once
// How long a run is, in steps.

#include "thalweg/train.hpp"

namespace thalweg {

struct RunLength {
  std::int64_t batch = 1;  ///< rows at a time
  std::int64_t rows_a_step = 1, steps_an_epoch = 1, steps = 0;
};

[[nodiscard]] inline RunLength run_length(const FitOptions& options, std::int64_t rows) {
  RunLength length;
  length.batch = options.batch_size > 0 ? std::min(options.batch_size, rows) : rows;
  length.rows_a_step = std::min(rows, length.batch * options.accumulate);
  length.steps_an_epoch = (rows + length.rows_a_step - 1) / std::max<std::int64_t>(1, length.rows_a_step);
  length.steps = options.steps > 0 ? options.steps : options.epochs * length.steps_an_epoch;
  return length;
}

}  // namespace thalweg
