#include "distributed/shares.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace thalweg {
namespace {

/// The shards below a node.
Share below(TreeNode node, std::int64_t shards) {
  return {node.index << node.level, std::min(shards, (node.index + 1) << node.level)};
}

TEST(Shares, EveryShardIsOneRanksAndNeighboursStayTogether) {
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

TEST(Shares, WhatIsLeftOverCoversTheShareInOrder) {
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

TEST(Shares, APowerOfTwoOfRanksHasOneSumEach) {
  for (int ranks : {1, 2, 4, 8}) {
    for (int rank = 0; rank < ranks; ++rank) EXPECT_EQ(remaining_nodes(shards_of(rank, ranks, 16), 16).size(), 1U);
  }
}

TEST(Shares, AllShardsLeaveTheRoot) {
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

}  // namespace
}  // namespace thalweg
