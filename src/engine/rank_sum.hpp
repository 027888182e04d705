#pragma once
// The sum over shards on several ranks, by the same tree as on one rank: the same bits. A bucket of the gradient is
// sent as soon as the last of a rank's shards has finished it, while the backward pass computes the next ones.

#include <atomic>
#include <memory>

#include "distributed/communicator.hpp"
#include "engine/arrivals.hpp"
#include "engine/buckets.hpp"
#include "engine/shards.hpp"

namespace thalweg {

/// The sum for one way of cutting batches. For each bucket, every rank receives one slice of the partial sums of the
/// other ranks, adds it in the order of the tree, and sends the result to all. Planned once; a sum allocates nothing.
class RankSum final : public Relay, public std::enable_shared_from_this<RankSum> {
 public:
  /// A shard's block is `values` numbers of a dtype, then `doubles` numbers in f64, which belong to the last bucket.
  struct Shape {
    std::int64_t shards, values, doubles;
    DType dtype;
  };
  /// If `kept` is given, it has for each rank the numbers, of those that it lists, of which this rank alone gets the
  /// sum, or ranks whose lists overlap. The others get none of them.
  RankSum(Communicator& ranks, const Shape& shape, std::vector<Runs> buckets, std::vector<Runs> kept, BlockPool& pool,
          Workers& workers);

  /// The shards of this rank.
  [[nodiscard]] Share mine() const { return mine_; }
  /// Begins a sum; the last one must have ended. Without sending, it measures computing alone.
  void begin(bool sends = true);
  /// The block that a shard of this rank writes.
  [[nodiscard]] std::byte* block_for(std::int64_t shard);
  /// Tells that a shard has finished a bucket. May be called from any thread.
  void add(std::int64_t shard, std::int64_t bucket);
  /// Waits for the other ranks and returns the sum over all shards.
  [[nodiscard]] Block total();
  /// Exchanges all buckets of blocks that nobody has written, to measure messages alone.
  void exchange_alone();
  /// After an error: messages in flight are abandoned, and end with the communicator.
  void abandon();

  [[nodiscard]] std::int64_t sent_bytes() const;
  [[nodiscard]] std::int64_t buckets() const { return std::ssize(buckets_); }

  Messages second(int channel) override;

 private:
  struct Bucket {
    Runs runs;                // of a block
    std::vector<Runs> parts;  // of each rank's slice
    std::vector<Runs> given;  // what of it the other ranks get too
    std::vector<Message> sent, received, sent_on, received_on;
    Communicator::Ticket ticket = 0;
  };
  /// A partial sum of a rank's shards; for another rank, this rank's slice of it.
  struct Node {
    int rank;
    std::size_t shard;  // of this rank, in whose block it is
    Block slices = {};  // of another rank: this rank's part of each bucket, one after another, and the doubles
  };
  void plan_nodes();
  void plan_bucket(Runs runs);
  void send(std::size_t bucket);
  void add_slices(std::size_t bucket);
  void join_shards(const Joins::Join& join, std::size_t bucket);
  [[nodiscard]] Block block_of(std::int64_t values);
  [[nodiscard]] Block& whole();
  [[nodiscard]] std::byte* number(const Block& block, std::int64_t at) const {
    return block.data() + static_cast<std::size_t>(at) * size_of(shape_.dtype);
  }
  [[nodiscard]] std::byte* doubles_in(const Block& block, std::int64_t values) const {
    return block.data() + TreeSum::doubles_at(values, shape_.dtype);
  }
  [[nodiscard]] std::byte* doubles_of(const Node& node) const;
  [[nodiscard]] std::size_t bytes_of(Share run) const {
    return static_cast<std::size_t>(run.size()) * size_of(shape_.dtype);
  }
  [[nodiscard]] std::size_t double_bytes() const { return static_cast<std::size_t>(shape_.doubles) * sizeof(double); }
  [[nodiscard]] bool is_last(std::size_t bucket) const { return bucket + 1 == buckets_.size(); }

  Communicator& ranks_;
  const Shape shape_;
  BlockPool& pool_;
  Workers& workers_;
  const int rank_;
  const Share mine_;
  const std::vector<Runs> kept_;
  std::vector<Bucket> buckets_;
  std::vector<std::int64_t> slices_at_;  // where this rank's part of each bucket begins among its slices
  std::int64_t own_values_ = 0;          // of all its slices

  Joins joins_;                             // of this rank's shards
  std::vector<Block> blocks_;               // of this rank's shards; of none where it has none, then `spare_`
  std::vector<std::atomic<int>> arrivals_;  // of each join and bucket: how many of its parts are there
  std::vector<std::atomic<int>> joined_;    // of each join: how many buckets
  std::vector<std::atomic<int>> missing_;   // of each bucket: how many nodes of this rank are not final
  int own_nodes_ = 0;
  Block spare_;

  std::vector<Node> nodes_;  // of all ranks, from left to right
  Joins node_joins_;
  bool sends_ = true;
  std::mutex mutex_;  // of what follows an exchange, against the end after an error
  bool abandoned_ = false;
};

/// The sums of an engine's steps, one for each way of cutting a batch. They must not outlive the programs, nor the
/// arrivals for which they were made.
class RankSums {
 public:
  RankSums(std::shared_ptr<Communicator> ranks, BlockPool& pool, Workers& workers)
      : ranks_(std::move(ranks)), pool_(pool), workers_(workers) {}
  ~RankSums() { forget(); }
  RankSums(const RankSums&) = delete;
  RankSums& operator=(const RankSums&) = delete;

  struct Needs {
    Arrivals* arriving = nullptr;             ///< parameters that may be on their way
    const std::vector<Runs>* kept = nullptr;  ///< see RankSum; the same in every call, or nothing
  };
  /// Runs this rank's shards of a batch, and gives the sum over those of all ranks; without sending, of its own. The
  /// shards wait for parameters that are arriving.
  [[nodiscard]] Block operator()(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                                 std::int64_t values, const Needs& needs, bool sends = true);
  /// The sum that such a batch needs.
  [[nodiscard]] RankSum& of(const BatchPrograms& programs, std::int64_t values, DType dtype, const Needs& needs);

 private:
  /// Where a shard's program stops: to send a bucket that is final, or to wait for a piece of the parameters.
  struct Stop {
    std::size_t after;  // instructions
    bool waits;
    std::int64_t number;  // of the bucket or the piece
  };
  struct Stops {
    std::vector<Stop> list;
    std::vector<std::size_t> cuts;
  };
  struct Known {
    BatchPrograms programs;
    std::int64_t values;
    bool keeps;
    Stops whole, last;
    std::shared_ptr<RankSum> sum;
  };
  [[nodiscard]] static Stops stops_in(const ShardProgram& program, const std::vector<std::size_t>& bucket_cuts,
                                      const Arrivals* arriving);
  Known& known(const BatchPrograms& programs, std::int64_t values, DType dtype, const Needs& needs);
  void run_shards(Known& known, const State& state, const RowSelection& batch, Arrivals* arriving);
  void forget();

  std::shared_ptr<Communicator> ranks_;
  BlockPool& pool_;
  Workers& workers_;
  std::vector<Known> known_;
};

}  // namespace thalweg
