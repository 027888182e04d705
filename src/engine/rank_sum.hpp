#pragma once
// The sum over shards that lie on several ranks, in the same tree as on one: the same bits.

#include "distributed/communicator.hpp"
#include "engine/shards.hpp"

namespace thalweg {

/// A block for each node that is left on a rank, and what it is made of.
struct RankSumShape {
  std::int64_t shards, values, doubles;
  DType dtype;
};

/// Every rank hands in what its shards left over (TreeSum::take_nodes) and gets the sum of all. Each rank adds one
/// slice of the values, which the others send it; then the slices are sent round.
[[nodiscard]] Block sum_over_ranks(Communicator& ranks, const RankSumShape& shape, std::vector<TreeSum::Node> own,
                                   BlockPool& pool, Workers& workers);

}  // namespace thalweg
