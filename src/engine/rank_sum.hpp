#pragma once
// The sum over shards on several ranks, by the same tree as on one rank: the same bits.

#include "distributed/communicator.hpp"
#include "engine/shards.hpp"

namespace thalweg {

/// The shape of a sum: each node is a block of `values` numbers of a dtype, then `doubles` numbers in f64.
struct RankSumShape {
  std::int64_t shards, values, doubles;
  DType dtype;
};

/// Every rank passes the remaining nodes of its shards (TreeSum::take_nodes) and gets the sum of all. The ranks send
/// each other slices; each rank adds one slice, and then the sums are sent to all.
[[nodiscard]] Block sum_over_ranks(Communicator& ranks, const RankSumShape& shape, std::vector<TreeSum::Node> own,
                                   BlockPool& pool, Workers& workers);

}  // namespace thalweg
