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
  std::int64_t gradient_bytes = 0;           ///< gradient of one shard
  std::int64_t slot_bytes = 0;               ///< slots of the optimizer, on all ranks together
  std::optional<SagaTable> row_table = {};   ///< on each rank (SAGA)
  double own_part = 1;                       ///< fraction of slots and update on the rank that has most of them
  std::int64_t shards = 1, shard_rows = 0;
  bool separable = true;                ///< whether a batch may be cut into shards
  double last_shard = 1;                ///< size of the last shard relative to a whole one
  std::int64_t shard_bytes = 0;         ///< memory in which a shard is computed
  std::int64_t bf16_values = 0;         ///< number of values of a shard that are stored in bf16
  std::int64_t update_arena_bytes = 0;  ///< arena of the update
  std::int64_t update_arenas = 1;       ///< how many of them there are, with as many threads
  bool one_small_shard = false;         ///< see OneShard
  StepCost::Part gradient, update;      ///< operations and bytes moved of a whole step; no seconds
  /// A part of the gradient that ranks send each other at once, and the fraction of a shard's instructions after which
  /// it is final.
  struct Bucket {
    std::int64_t bytes;
    double ready;
  };
  std::vector<Bucket> buckets = {};  ///< in the order in which they are sent; none on one rank, or of one shard
  bool keeps_part = false;           ///< whether a rank gets only its part of the sum of the gradients, unless norms
                                     ///< of layers need all of it
  /// Where ranks share the update and send its results: each parameter, and the fraction of a shard's instructions
  /// before the first that reads it; in the order in which they are sent.
  std::vector<Bucket> arriving = {};
};

/// The kernels of a step: those of one shard, of one addition of two sums of gradients, and of the norm and the update.
struct StepKernels {
  NotedKernels shard, join, update;
};

/// The needs of steps with `rows` rows of such data, in shards of `shard_size` rows (0: the default for the batches
/// that a step accumulates), shared by `ranks` ranks. Records the kernels if asked to.
[[nodiscard]] StepNeeds needs_of_step(const EvaluationFunction& function, const Optimizer& optimizer,
                                      const Dataset& data, const RunLength& length, std::int64_t shard_size,
                                      Memory memory, int ranks = 1, Precision precision = Precision::single,
                                      StepKernels* kernels = nullptr);

/// Seconds of a step, as sums over its kernels.
struct StepSeconds {
  double gradient = 0;  ///< the shards and the additions of their sums
  double update = 0;    ///< the norm and the update
  std::vector<KernelTime> shard;
  std::int64_t at_once = 1;  ///< number of kernels that were timed in parallel, one on each thread
};
/// The times on this machine, whose threads `ranks` ranks share. Each kernel runs by itself; the step is not run.
[[nodiscard]] StepSeconds seconds_of_step(const StepNeeds& needs, const StepKernels& kernels, int ranks,
                                          Workers& workers);

}  // namespace thalweg
