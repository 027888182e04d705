#pragma once
// The memory and the operations of a training step, read from its plan: nothing is run.

#include "engine/objective.hpp"

namespace thalweg {

struct StepNeeds {
  std::int64_t parameters = 0, trained = 0;  ///< elements
  std::int64_t parameter_bytes = 0;          ///< statistics with them
  std::int64_t gradient_bytes = 0;           ///< of a shard
  std::int64_t slot_bytes = 0;               ///< of the optimizer, on all ranks together
  std::int64_t row_table_bytes = 0;          ///< of a table of gradients of all rows, on each rank (SAGA)
  double own_part = 1;                       ///< of slots and update: that of the rank that has most of them
  std::int64_t shards = 1, shard_rows = 0;
  std::int64_t shard_bytes = 0;         ///< of memory that a shard is computed in
  std::int64_t bf16_values = 0;         ///< of a shard, that are stored in bf16
  std::int64_t update_arena_bytes = 0;  ///< of the update
  StepCost::Part gradient, update;      ///< operations and bytes moved of a whole step; no seconds
};

/// Of steps of `rows` rows of such data, all of which are trained on, in shards of `shard_size` rows (0: the default),
/// that `ranks` share.
[[nodiscard]] StepNeeds needs_of_step(const EvaluationFunction& function, const Optimizer& optimizer,
                                      const Dataset& data, std::int64_t rows, std::int64_t shard_size, Memory memory,
                                      int ranks = 1, Precision precision = Precision::single);

}  // namespace thalweg
