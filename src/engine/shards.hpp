#pragma once
// Sums over the shards of a batch by a fixed tree: the result depends neither on which worker ran which shard nor on
// the number of workers.

#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "distributed/shares.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// A number that a program wrote in this dtype.
[[nodiscard]] inline double number_at(const void* place, DType dtype) {
  return dtype == f32 ? static_cast<double>(*static_cast<const float*>(place)) : *static_cast<const double*>(place);
}

/// A pool of blocks of memory; a new block is made when no free one is large enough.
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

  BlockPool() = default;
  /// A pool of the given device's memory, else of host memory.
  explicit BlockPool(DeviceMemory* far) : far_(far) {}

  /// A block of at least `bytes`: the smallest free one, so that gradients do not take the blocks of arenas; among
  /// equal sizes the one that this thread wrote last, which its core's cache still holds.
  [[nodiscard]] Lent take(std::size_t bytes);
  /// A block of exactly this size, for a gradient. A gradient lives longer than the memory of a shard; if it took a
  /// block of a shard's size, each waiting sum would cost another such block.
  [[nodiscard]] Lent take_exactly(std::size_t bytes);
  void give_back(Block block);

 private:
  Lent take(std::size_t bytes, std::size_t at_most);

  std::mutex mutex_;
  std::vector<Block> free_;
  std::map<const std::byte*, std::thread::id> taken_by_;  // the thread that took each block last
  DeviceMemory* far_ = nullptr;
};

/// Threads, the device that they may hand their work to, and the blocks that both work in. Engines that take turns
/// share one crew.
struct Crew {
  explicit Crew(int threads, Device& chosen = chosen_device())
      : workers(threads), device(chosen), there(chosen.far()) {}
  Workers workers;
  BlockPool pool;
  Device& device;
  BlockPool there;  ///< a pool of the device's memory
};

/// into = left + right, for `values` numbers of this host; `into` may be one of them.
void add_values(std::byte* into, const std::byte* left, const std::byte* right, std::int64_t values, DType dtype,
                Workers& workers);

/// Sums blocks over the shards of a batch: shards 0 and 1 are joined, 2 and 3, then the pairs, as soon as both are
/// done.
class TreeSum {
 public:
  /// Adds one block to another in the memory where they are.
  using Join = std::function<void(std::byte* into, const std::byte* from)>;
  /// Blocks of `values` numbers of a dtype, then `doubles` numbers in f64. They are in host memory, unless `join` is
  /// given, which then adds them and must outlive the sum.
  TreeSum(std::int64_t shards, std::int64_t values, DType dtype, std::int64_t doubles, BlockPool& pool,
          Workers& workers, const Join* join = nullptr);
  [[nodiscard]] static std::size_t block_bytes(std::int64_t values, DType dtype, std::int64_t doubles);
  /// The offset of the doubles, in bytes.
  [[nodiscard]] static std::size_t doubles_at(std::int64_t values, DType dtype);

  /// The sum of a part of the shards, and the place of that part in the tree.
  struct Node {
    TreeNode place;
    Block block;
  };

  /// Adds a shard's block. May be called from any thread.
  void add(std::int64_t shard, Block block) { add({0, shard}, std::move(block)); }
  /// Adds the sum of several shards.
  void add(TreeNode place, Block block);
  /// The sum, when all shards have been added.
  [[nodiscard]] Block take_total() { return std::move(waiting_.front().block); }
  /// The nodes into which the added shards could be joined, from left to right: see remaining_nodes.
  [[nodiscard]] std::vector<Node> take_nodes();

 private:
  /// The block that this one is to be joined with; where it is not done yet, this one is stored and waits for it.
  std::optional<Block> partner(TreeNode place, Block& own);
  void join(std::byte* into, const std::byte* from);

  std::int64_t shards_, values_, doubles_;
  DType dtype_;
  BlockPool& pool_;
  Workers& workers_;
  const Join* join_;
  std::mutex mutex_;
  std::vector<Node> waiting_;
};

/// Numbers of all shards, added up by the same tree; `write` puts those of a shard, of which there are `doubles`.
[[nodiscard]] std::vector<double> sum_of_numbers(std::int64_t shards, std::int64_t doubles, BlockPool& pool,
                                                 Workers& workers,
                                                 const std::function<void(std::int64_t, double*)>& write);

}  // namespace thalweg
