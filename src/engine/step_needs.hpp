#pragma once
// The memory and the operations of a training step, read from its plan: nothing is run.

#include "engine/kernel_times.hpp"
#include "engine/objective.hpp"
#include "engine/row_table.hpp"
#include "engine/run_length.hpp"

namespace thalweg {

struct StepNeeds {
  std::int64_t parameters = 0, trained = 0;  ///< elements
  std::int64_t parameter_bytes = 0;          ///< statistics with them
  std::int64_t gradient_bytes = 0;           ///< of a shard
  std::int64_t slot_bytes = 0;               ///< of the optimizer, on all ranks together
  std::optional<SagaTable> row_table = {};   ///< on each rank (SAGA)
  double own_part = 1;                       ///< of slots and update: that of the rank that has most of them
  std::int64_t shards = 1, shard_rows = 0;
  bool separable = true;                ///< whether a batch may be cut into shards
  double last_shard = 1;                ///< the part of a whole shard that the last one is
  std::int64_t shard_bytes = 0;         ///< of memory that a shard is computed in
  std::int64_t bf16_values = 0;         ///< of a shard, that are stored in bf16
  std::int64_t update_arena_bytes = 0;  ///< of the update
  bool one_small_shard = false;         ///< see OneShard
  StepCost::Part gradient, update;      ///< operations and bytes moved of a whole step; no seconds
};

/// The kernels of a step: of one shard, of one addition of two sums of gradients, and of what follows: the gradient's
/// norm and the update.
struct StepKernels {
  NotedKernels shard, join, update;
};

/// Of steps of `rows` rows of such data, all of which are trained on, in shards of `shard_size` rows (0: the default
/// for the batches that a step accumulates), that `ranks` share. Notes the kernels, where that is wanted.
[[nodiscard]] StepNeeds needs_of_step(const EvaluationFunction& function, const Optimizer& optimizer,
                                      const Dataset& data, const RunLength& length, std::int64_t shard_size,
                                      Memory memory, int ranks = 1, Precision precision = Precision::single,
                                      StepKernels* kernels = nullptr);

/// Seconds of a step, as its kernels take them one by one.
struct StepSeconds {
  double gradient = 0;  ///< of the shards, and the additions of their sums
  double update = 0;    ///< the norm with it
  std::vector<KernelTime> shard;
  std::int64_t at_once = 1;  ///< kernels that were timed at the same time: one a thread
};
/// On this machine, whose threads `ranks` ranks share. Each kernel runs by itself; the step is not run.
[[nodiscard]] StepSeconds seconds_of_step(const StepNeeds& needs, const StepKernels& kernels, int ranks,
                                          Workers& workers);

}  // namespace thalweg
