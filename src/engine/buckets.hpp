#pragma once
// The gradient of a shard in buckets, in the order in which the backward pass finishes them.

#include "engine/programs.hpp"

namespace thalweg {

/// The same for every shard of every rank, however many rows it has.
struct Buckets {
  std::vector<Runs> runs;  ///< for each bucket, its numbers as runs of a block of the sum
  /// The number of instructions after which a bucket and all earlier ones are final: for a shard of the common size,
  /// and for the last shard.
  std::vector<std::size_t> whole_cuts, last_cuts;
};

/// Cuts a block of `values` numbers. A bucket has a mebibyte or more, a 24th of the block, so that the fixed cost of a
/// message is small; an eighth of a mebibyte is enough where the next numbers are final much later. The last bucket,
/// which cannot be hidden, has the rest.
[[nodiscard]] Buckets buckets_of(const BatchPrograms& programs, std::int64_t values, DType dtype);

}  // namespace thalweg
