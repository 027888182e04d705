#pragma once
// Who does what: which shards of a batch a rank takes, which sums of the fixed tree they make, and which slice of the
// parameters is whose.

#include <cstdint>
#include <vector>

namespace thalweg {

/// Numbers first to last - 1.
struct Share {
  std::int64_t first = 0, last = 0;
  [[nodiscard]] std::int64_t size() const { return last - first; }
  friend bool operator==(const Share&, const Share&) = default;
};

/// The shards that a rank takes: neighbours, as many as the other ranks' or one more or less.
[[nodiscard]] Share shards_of(int rank, int ranks, std::int64_t shards);

/// The rows of a batch, in shards of `shard` rows, that are in the shards of a rank: none for one without a shard, all
/// of them where there is a single shard, which every rank computes.
[[nodiscard]] Share rows_of(int rank, int ranks, std::int64_t rows, std::int64_t shard);

/// A sum in the fixed tree over the shards of a batch: level 0 are the shards, and each level above joins pairs of the
/// one below; the last of an odd number goes up alone.
struct TreeNode {
  int level = 0;
  std::int64_t index = 0;
  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};

/// The sums that remain when what a share's shards alone can join has been joined, from left to right.
[[nodiscard]] std::vector<TreeNode> remaining_nodes(Share share, std::int64_t shards);
/// Where a node stands once it has gone up as far as it goes alone.
[[nodiscard]] TreeNode risen(TreeNode node, std::int64_t shards);
/// Whether the node is the sum of all.
[[nodiscard]] bool is_root(TreeNode node, std::int64_t shards);

/// How leaves are added up: sums of the fixed tree, in places of which each joined one becomes its left part's.
struct Joins {
  struct Join {
    int left = 0, right = 0;  ///< leaves, in whose places the parts are
    int above = -1;           ///< the join that its result goes into, if any
  };
  std::vector<Join> list;    ///< each behind those that it needs
  std::vector<int> of_leaf;  ///< the join that each leaf goes into, or -1
};
/// Of nodes from left to right, as far as they alone can be joined.
[[nodiscard]] Joins joins_of(const std::vector<TreeNode>& leaves, std::int64_t shards);

/// Runs of numbers, from left to right.
using Runs = std::vector<Share>;
[[nodiscard]] std::int64_t length_of(const Runs& runs);
/// A part of the numbers of runs, counted from the first run's first.
[[nodiscard]] Runs part_of(const Runs& runs, Share part);

/// The slice of `elements` numbers that is a rank's. It begins at a multiple of the block in which reductions add, so
/// that a reduction over all is made of whole blocks of the slices.
inline constexpr std::int64_t slice_block = 4096;
[[nodiscard]] Share slice_of(int rank, int ranks, std::int64_t elements);

}  // namespace thalweg
