#include "engine/run_length.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace thalweg {

RunLength run_length(const FitOptions& options, std::int64_t rows) {
  constexpr std::int64_t most = std::int64_t{1} << 53;
  RunLength length;
  length.batch = options.batch_size > 0 ? std::min(options.batch_size, rows) : rows;
  const std::int64_t batches = length.batch > 0 ? (rows + length.batch - 1) / length.batch : 0;
  length.rows_a_step = std::min(rows, length.batch * std::min(options.accumulate, batches));
  length.steps_an_epoch = length.rows_a_step > 0 ? (rows + length.rows_a_step - 1) / length.rows_a_step : 0;
  if (options.steps > most) fail<UsageError>("[fit] steps = {}. Wanted: at most 2^53", options.steps);
  if (options.steps < 1 && length.steps_an_epoch > 0 && options.epochs > most / length.steps_an_epoch) {
    fail<UsageError>("[fit] epochs = {} of {} steps each. Wanted: at most 2^53 steps", options.epochs,
                     length.steps_an_epoch);
  }
  length.steps = options.steps > 0 ? options.steps : options.epochs * length.steps_an_epoch;
  return length;
}

}  // namespace thalweg
