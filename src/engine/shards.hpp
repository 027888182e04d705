#pragma once
// One program run over the shards of a batch, and what they give merged by a fixed tree: the result does not depend on
// which worker ran which shard, nor on how many there are.

#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "distributed/shares.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// A number as a program wrote it.
[[nodiscard]] inline double number_at(const void* place, DType dtype) {
  return dtype == f32 ? static_cast<double>(*static_cast<const float*>(place)) : *static_cast<const double*>(place);
}

/// Blocks that are lent out and come back; made when none that is large enough is free.
class BlockPool {
 public:
  class Lent {
   public:
    Lent(BlockPool& pool, Block block) : pool_(&pool), block_(std::move(block)) {}
    Lent(Lent&& other) noexcept : pool_(other.pool_), block_(std::move(other.block_)) { other.pool_ = nullptr; }
    Lent& operator=(Lent&&) = delete;
    ~Lent() {
      if (pool_) pool_->give_back(std::move(block_));
    }
    [[nodiscard]] std::byte* data() const { return block_.data(); }
    [[nodiscard]] Block release() {
      pool_ = nullptr;
      return std::move(block_);
    }

   private:
    BlockPool* pool_;
    Block block_;
  };

  /// A block of at least `bytes`: the smallest that is free, so that gradients do not end up in the blocks of arenas;
  /// of those that are alike the one that this thread wrote last, which its core's cache still holds.
  [[nodiscard]] Lent take(std::size_t bytes);
  void give_back(Block block);

 private:
  std::mutex mutex_;
  std::vector<Block> free_;
  std::map<const std::byte*, std::thread::id> taken_by_;  // by whom each block was taken last
};

/// Threads, and the blocks that they work in. Engines that take turns share one.
struct Crew {
  explicit Crew(int threads) : workers(threads) {}
  Workers workers;
  BlockPool pool;
};

/// Sums blocks over the shards of a batch: shards 0 and 1 are joined, 2 and 3, then the pairs, as soon as both are
/// there.
class TreeSum {
 public:
  /// Blocks of `values` numbers of a dtype, then `doubles` numbers in f64.
  TreeSum(std::int64_t shards, std::int64_t values, DType dtype, std::int64_t doubles, BlockPool& pool,
          Workers& workers);
  [[nodiscard]] static std::size_t block_bytes(std::int64_t values, DType dtype, std::int64_t doubles);
  /// Where the doubles begin.
  [[nodiscard]] static std::size_t doubles_at(std::int64_t values, DType dtype);

  /// The sum of a part of the shards, and which part.
  struct Node {
    TreeNode place;
    Block block;
  };

  /// Hands in a shard's block. May be called from any thread.
  void add(std::int64_t shard, Block block) { add({0, shard}, std::move(block)); }
  /// Hands in the sum of several.
  void add(TreeNode place, Block block);
  /// The sum, when all shards have been handed in.
  [[nodiscard]] Block take_total() { return std::move(waiting_.front().block); }
  /// What could be joined of the shards that were handed in, from left to right: see remaining_nodes.
  [[nodiscard]] std::vector<Node> take_nodes();

 private:
  /// The other half of the sum that this is one half of; where it is not there yet, this one waits for it.
  std::optional<Block> partner(TreeNode place, Block& own);
  void join(std::byte* into, const std::byte* from);

  std::int64_t shards_, values_, doubles_;
  DType dtype_;
  BlockPool& pool_;
  Workers& workers_;
  std::mutex mutex_;
  std::vector<Node> waiting_;
};

}  // namespace thalweg
