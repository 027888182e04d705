#include "engine/rank_sum.hpp"

#include <algorithm>
#include <cstring>

namespace thalweg {

namespace {

class RankSum {
 public:
  RankSum(Communicator& ranks, const RankSumShape& shape, BlockPool& pool, Workers& workers)
      : ranks_(ranks),
        shape_(shape),
        mine_(slice_of(ranks.rank(), ranks.size(), shape.values)),
        slices_(shape.shards, mine_.size(), shape.dtype, shape.doubles, pool, workers),
        pool_(pool) {}

  Block operator()(std::vector<TreeSum::Node> own) {
    add_slices(own);
    const Block slice = slices_.take_total();
    Block whole = own.empty() ? pool_.take_exactly(bytes(shape_.values)).release() : std::move(own.front().block);
    std::memcpy(values_in(whole, mine_), slice.data(), value_bytes(mine_));
    std::memcpy(doubles_in(whole, shape_.values), doubles_in(slice, mine_.size()), double_bytes());
    send_round(whole);
    for (TreeSum::Node& node : own) {
      if (node.block.data()) pool_.give_back(std::move(node.block));
    }
    return whole;
  }

 private:
  /// Sends each rank its slice of the remaining nodes, and adds the received parts of this rank's slice.
  void add_slices(const std::vector<TreeSum::Node>& own) {
    sent_.clear();
    received_.clear();
    std::vector<TreeSum::Node> parts;
    for (const TreeSum::Node& node : own) parts.push_back({node.place, copy_of_mine(node.block)});
    for (int peer = 0; peer < ranks_.size(); ++peer) {
      if (peer == ranks_.rank()) continue;
      const Share theirs = slice_of(peer, ranks_.size(), shape_.values);
      for (const TreeSum::Node& node : own) {
        sent_.push_back({peer, values_in(node.block, theirs), value_bytes(theirs)});
        sent_.push_back({peer, doubles_in(node.block, shape_.values), double_bytes()});
      }
      for (const TreeNode place : remaining_nodes(shards_of(peer, ranks_.size(), shape_.shards), shape_.shards)) {
        const Block& part = parts.emplace_back(place, pool_.take_exactly(bytes(mine_.size())).release()).block;
        received_.push_back({peer, part.data(), value_bytes(mine_)});
        received_.push_back({peer, doubles_in(part, mine_.size()), double_bytes()});
      }
    }
    ranks_.exchange(sent_, received_);
    for (TreeSum::Node& part : parts) slices_.add(part.place, std::move(part.block));
  }

  void send_round(const Block& whole) {
    sent_.clear();
    received_.clear();
    for (int peer = 0; peer < ranks_.size(); ++peer) {
      if (peer == ranks_.rank()) continue;
      const Share theirs = slice_of(peer, ranks_.size(), shape_.values);
      sent_.push_back({peer, values_in(whole, mine_), value_bytes(mine_)});
      received_.push_back({peer, values_in(whole, theirs), value_bytes(theirs)});
    }
    ranks_.exchange(sent_, received_);
  }

  Block copy_of_mine(const Block& whole) {
    Block part = pool_.take_exactly(bytes(mine_.size())).release();
    std::memcpy(part.data(), values_in(whole, mine_), value_bytes(mine_));
    std::memcpy(doubles_in(part, mine_.size()), doubles_in(whole, shape_.values), double_bytes());
    return part;
  }

  [[nodiscard]] std::size_t value_bytes(Share s) const {
    return static_cast<std::size_t>(s.size()) * size_of(shape_.dtype);
  }
  [[nodiscard]] std::size_t double_bytes() const { return static_cast<std::size_t>(shape_.doubles) * sizeof(double); }
  [[nodiscard]] std::size_t bytes(std::int64_t values) const {
    return TreeSum::block_bytes(values, shape_.dtype, shape_.doubles);
  }
  [[nodiscard]] std::byte* values_in(const Block& block, Share s) const {
    return block.data() + static_cast<std::size_t>(s.first) * size_of(shape_.dtype);
  }
  [[nodiscard]] std::byte* doubles_in(const Block& block, std::int64_t values) const {
    return block.data() + TreeSum::doubles_at(values, shape_.dtype);
  }

  Communicator& ranks_;
  const RankSumShape shape_;
  const Share mine_;
  TreeSum slices_;
  BlockPool& pool_;
  std::vector<Message> sent_, received_;
};

}  // namespace

Block sum_over_ranks(Communicator& ranks, const RankSumShape& shape, std::vector<TreeSum::Node> own, BlockPool& pool,
                     Workers& workers) {
  return RankSum(ranks, shape, pool, workers)(std::move(own));
}

}  // namespace thalweg
