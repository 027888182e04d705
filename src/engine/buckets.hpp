#pragma once
// The gradient of a shard in buckets: those that the backward pass finishes first come first.

#include "engine/programs.hpp"

namespace thalweg {

/// The same for every shard of every rank, however many rows it has.
struct Buckets {
  std::vector<Runs> runs;  ///< of each bucket: its numbers, as runs of a block of the sum
  /// After how many instructions a bucket and those before it are final: of a shard of the common size, of the last.
  std::vector<std::size_t> whole_cuts, last_cuts;
};

/// Cuts a block of `values` numbers. A bucket has at least a mebibyte, and at least a 24th of the block, so that a
/// message is long beside what it costs to send one; the last bucket, which nothing hides, has what is left.
[[nodiscard]] Buckets buckets_of(const BatchPrograms& programs, std::int64_t values, DType dtype);

}  // namespace thalweg
