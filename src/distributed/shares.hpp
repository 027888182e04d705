#pragma once
// The distribution of work: which shards of a batch a rank computes, which sums of the fixed tree they form, and which
// slice of the parameters each rank owns.

#include <cstdint>
#include <vector>

namespace thalweg {

/// Numbers first to last - 1.
struct Share {
  std::int64_t first = 0, last = 0;
  [[nodiscard]] std::int64_t size() const { return last - first; }
  friend bool operator==(const Share&, const Share&) = default;
};

/// The shards of a rank: consecutive ones; the counts of ranks differ by at most one.
[[nodiscard]] Share shards_of(int rank, int ranks, std::int64_t shards);

/// The rows of a batch, in shards of `shard` rows, that a rank needs: none for a rank without a shard, and all of them
/// if there is a single shard, which every rank computes.
[[nodiscard]] Share rows_of(int rank, int ranks, std::int64_t rows, std::int64_t shard);

/// A sum in the fixed tree over the shards of a batch: level 0 are the shards, and each higher level joins pairs of the
/// level below; the last of an odd number moves up unpaired.
struct TreeNode {
  int level = 0;
  std::int64_t index = 0;
  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};

/// The sums that remain after all joins that the shards of this share alone allow, from left to right.
[[nodiscard]] std::vector<TreeNode> remaining_nodes(Share share, std::int64_t shards);
/// The position of a node after it has moved up as far as it can without a partner.
[[nodiscard]] TreeNode risen(TreeNode node, std::int64_t shards);
/// Whether the node is the sum over all shards.
[[nodiscard]] bool is_root(TreeNode node, std::int64_t shards);

/// The order in which leaves are added: sums of the fixed tree. Each join overwrites its left operand.
struct Joins {
  struct Join {
    int left = 0, right = 0;  ///< the leaves in whose places the operands are
    int above = -1;           ///< the join that uses its result, if any
  };
  std::vector<Join> list;    ///< in an order in which operands come first
  std::vector<int> of_leaf;  ///< the join that uses each leaf, or -1
};
/// The joins of nodes, given from left to right, as far as they can be joined among themselves.
[[nodiscard]] Joins joins_of(const std::vector<TreeNode>& leaves, std::int64_t shards);

/// Ranges of numbers, from left to right.
using Runs = std::vector<Share>;
[[nodiscard]] std::int64_t length_of(const Runs& runs);
/// The given part of the numbers in the ranges, counted from the beginning of the first range.
[[nodiscard]] Runs part_of(const Runs& runs, Share part);

/// The numbers that both have, in the order of the first.
[[nodiscard]] Runs common_part(const Runs& a, const Runs& b);
/// The numbers of the first that the second has not.
[[nodiscard]] Runs difference(const Runs& a, const Runs& b);

/// The slice of `elements` numbers that a rank owns. It begins at a multiple of the block size of reductions, so that a
/// reduction over everything consists of whole blocks of the slices.
inline constexpr std::int64_t slice_block = 4096;
[[nodiscard]] Share slice_of(int rank, int ranks, std::int64_t elements);

}  // namespace thalweg
