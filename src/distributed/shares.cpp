#include "distributed/shares.hpp"

#include <algorithm>

namespace thalweg {

namespace {

std::int64_t nodes_at(int level, std::int64_t shards) {
  std::int64_t count = shards;
  for (int k = 0; k < level; ++k) count = (count + 1) / 2;
  return count;
}

}  // namespace

Share shards_of(int rank, int ranks, std::int64_t shards) {
  return {shards * rank / ranks, shards * (rank + 1) / ranks};
}

Share rows_of(int rank, int ranks, std::int64_t rows, std::int64_t shard) {
  const std::int64_t shards = (rows + shard - 1) / shard;
  if (shards <= 1) return {0, rows};
  const Share mine = shards_of(rank, ranks, shards);
  return {std::min(rows, mine.first * shard), std::min(rows, mine.last * shard)};
}

TreeNode risen(TreeNode node, std::int64_t shards) {
  for (std::int64_t count = nodes_at(node.level, shards); count > 1 && (node.index ^ 1) >= count;
       count = (count + 1) / 2)
    node = {node.level + 1, node.index / 2};
  return node;
}

bool is_root(TreeNode node, std::int64_t shards) { return nodes_at(node.level, shards) == 1; }

std::vector<TreeNode> remaining_nodes(Share share, std::int64_t shards) {
  std::vector<TreeNode> nodes;
  for (std::int64_t shard = share.first; shard < share.last; ++shard) {
    nodes.push_back(risen({0, shard}, shards));
    while (nodes.size() > 1 && nodes.back().index % 2 == 1 &&
           nodes[nodes.size() - 2] == TreeNode{nodes.back().level, nodes.back().index - 1}) {
      nodes.pop_back();
      TreeNode& joined = nodes.back();
      joined = risen({joined.level + 1, joined.index / 2}, shards);
    }
  }
  return nodes;
}

Joins joins_of(const std::vector<TreeNode>& leaves, std::int64_t shards) {
  struct Waiting {
    TreeNode place;
    int leaf, from;  // the leaf in whose place it is, and the join that produced it
  };
  Joins joins;
  joins.of_leaf.assign(leaves.size(), -1);
  std::vector<Waiting> waiting;
  const auto leads_to = [&](const Waiting& part, int join) {
    (part.from < 0 ? joins.of_leaf[static_cast<std::size_t>(part.leaf)]
                   : joins.list[static_cast<std::size_t>(part.from)].above) = join;
  };
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    waiting.push_back({risen(leaves[i], shards), static_cast<int>(i), -1});
    while (waiting.size() > 1 && waiting.back().place.index % 2 == 1 &&
           waiting[waiting.size() - 2].place == TreeNode{waiting.back().place.level, waiting.back().place.index - 1}) {
      const Waiting right = waiting.back();
      waiting.pop_back();
      Waiting& left = waiting.back();
      const int join = static_cast<int>(joins.list.size());
      leads_to(left, join);
      leads_to(right, join);
      joins.list.push_back({left.leaf, right.leaf});
      left = {risen({left.place.level + 1, left.place.index / 2}, shards), left.leaf, join};
    }
  }
  return joins;
}

std::int64_t length_of(const Runs& runs) {
  std::int64_t size = 0;
  for (const Share run : runs) size += run.size();
  return size;
}

Runs part_of(const Runs& runs, Share part) {
  Runs result;
  std::int64_t before = 0;
  for (const Share run : runs) {
    const std::int64_t first = std::max(part.first, before), last = std::min(part.last, before + run.size());
    if (first < last) result.push_back({run.first + first - before, run.first + last - before});
    before += run.size();
  }
  return result;
}

Runs common_part(const Runs& a, const Runs& b) {
  Runs common;
  for (const Share x : a) {
    for (const Share y : b) {
      const Share both{std::max(x.first, y.first), std::min(x.last, y.last)};
      if (both.size() > 0) common.push_back(both);
    }
  }
  return common;
}

Runs difference(const Runs& a, const Runs& b) {
  Runs left = a;
  for (const Share y : b) {
    Runs rest;
    for (const Share x : left) {
      const Share before{x.first, std::min(x.last, y.first)}, after{std::max(x.first, y.last), x.last};
      if (before.size() > 0) rest.push_back(before);
      if (after.size() > 0) rest.push_back(after);
    }
    left = std::move(rest);
  }
  return left;
}

Share slice_of(int rank, int ranks, std::int64_t elements) {
  const std::int64_t blocks = (elements + slice_block - 1) / slice_block;
  const auto begin = [&](std::int64_t r) { return std::min(elements, blocks * r / ranks * slice_block); };
  return {begin(rank), begin(rank + 1)};
}

}  // namespace thalweg
