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

Share slice_of(int rank, int ranks, std::int64_t elements) {
  const std::int64_t blocks = (elements + slice_block - 1) / slice_block;
  const auto begin = [&](std::int64_t r) { return std::min(elements, blocks * r / ranks * slice_block); };
  return {begin(rank), begin(rank + 1)};
}

}  // namespace thalweg
