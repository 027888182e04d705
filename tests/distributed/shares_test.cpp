#include "distributed/shares.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace thalweg {
namespace {

/// The shards below a node of the tree of sums.
Share below(TreeNode node, std::int64_t shards) {
  return {node.index << node.level, std::min(shards, (node.index + 1) << node.level)};
}

TEST(Shares, EachRankHasAdjacentShards) {
  for (std::int64_t shards : {1, 2, 3, 4, 5, 7, 8, 12, 13}) {
    for (int ranks : {1, 2, 3, 4, 8}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Share share = shards_of(rank, ranks, shards);
        EXPECT_EQ(share.first, next);
        EXPECT_LE(share.size(), (shards + ranks - 1) / ranks);
        next = share.last;
      }
      EXPECT_EQ(next, shards);
    }
  }
}

TEST(Shares, TheRemainingNodesCoverTheShareInOrder) {
  for (std::int64_t shards = 1; shards <= 17; ++shards) {
    for (std::int64_t first = 0; first <= shards; ++first) {
      for (std::int64_t last = first; last <= shards; ++last) {
        std::int64_t next = first;
        for (const TreeNode node : remaining_nodes({first, last}, shards)) {
          EXPECT_EQ(below(node, shards).first, next);
          next = below(node, shards).last;
          EXPECT_EQ(risen(node, shards), node);
        }
        EXPECT_EQ(next, last) << first << " to " << last << " of " << shards;
      }
    }
  }
}

TEST(Shares, EachOfAPowerOfTwoOfRanksHasOneSum) {
  for (int ranks : {1, 2, 4, 8}) {
    for (int rank = 0; rank < ranks; ++rank) EXPECT_EQ(remaining_nodes(shards_of(rank, ranks, 16), 16).size(), 1U);
  }
}

TEST(Shares, AllShardsTogetherAreTheRoot) {
  for (std::int64_t shards = 1; shards <= 33; ++shards) {
    const auto nodes = remaining_nodes({0, shards}, shards);
    ASSERT_EQ(nodes.size(), 1U);
    EXPECT_TRUE(is_root(nodes.front(), shards));
  }
}

TEST(Shares, SlicesBeginAtBlocksOfReductions) {
  for (std::int64_t elements : {0, 1, 4096, 4097, 100'000, 1'000'003}) {
    for (int ranks : {1, 2, 3, 4, 8}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Share slice = slice_of(rank, ranks, elements);
        EXPECT_EQ(slice.first, next);
        EXPECT_TRUE(slice.first == elements || slice.first % slice_block == 0);
        next = slice.last;
      }
      EXPECT_EQ(next, elements);
    }
  }
}

TEST(Shares, JoinsAddUpInTheFixedTree) {
  for (std::int64_t shards = 1; shards <= 17; ++shards) {
    for (std::int64_t first = 0; first <= shards; ++first) {
      for (std::int64_t last = first; last <= shards; ++last) {
        std::vector<TreeNode> leaves;
        for (std::int64_t shard = first; shard < last; ++shard) leaves.push_back({0, shard});
        const Joins joins = joins_of(leaves, shards);
        std::vector<Share> places;  // the shards whose sum is at the place of each leaf
        for (std::int64_t shard = first; shard < last; ++shard) places.push_back({shard, shard + 1});
        for (std::size_t k = 0; k < joins.list.size(); ++k) {
          Share &left = places[static_cast<std::size_t>(joins.list[k].left)],
                &right = places[static_cast<std::size_t>(joins.list[k].right)];
          EXPECT_EQ(left.last, right.first);
          const auto all = remaining_nodes({left.first, right.last}, shards);
          EXPECT_EQ(all.size(), 1U) << "must be a node of the tree";
          left.last = right.last;
          right = {};
          EXPECT_GT(joins.list[k].above < 0 ? 1000 : joins.list[k].above, static_cast<int>(k));
        }
        std::vector<Share> left_over;
        for (const Share place : places) {
          if (place.size() > 0) left_over.push_back(place);
        }
        std::vector<Share> wanted;
        for (const TreeNode node : remaining_nodes({first, last}, shards)) wanted.push_back(below(node, shards));
        EXPECT_EQ(left_over, wanted) << first << " to " << last << " of " << shards;
      }
    }
  }
}

TEST(Shares, PartsOfRunsAreCountedFromTheFirst) {
  const Runs runs = {{10, 14}, {20, 21}, {30, 40}};
  EXPECT_EQ(length_of(runs), 15);
  EXPECT_EQ(part_of(runs, {0, 15}), runs);
  EXPECT_EQ(part_of(runs, {3, 7}), (Runs{{13, 14}, {20, 21}, {30, 32}}));
  EXPECT_EQ(part_of(runs, {4, 5}), (Runs{{20, 21}}));
  EXPECT_TRUE(part_of(runs, {5, 5}).empty());
}

}  // namespace
}  // namespace thalweg
