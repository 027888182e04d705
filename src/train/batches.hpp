#pragma once
// The batches of a run, in order: rows of data in memory, or rows that are read ahead.

#include "data/gather.hpp"
#include "data/read_ahead.hpp"
#include "engine/row_order.hpp"
#include "engine/shard_program.hpp"

namespace thalweg {

class Communicator;

class Batches {
 public:
  Batches() = default;
  /// Messages number rows by `numbers`, if that is not null, which must outlive this.
  explicit Batches(RowOrder order, const RowNumbers* numbers = nullptr) : order_(std::move(order)), numbers_(numbers) {}

  /// For streaming data: reads the batches of the steps [begin, end) before they are needed. If ranks share batches in
  /// shards of `shard_size` rows (`ranks` not null), this rank reads only the rows of its own shards. `data` must
  /// outlive this.
  void read_ahead(const Dataset& data, std::int64_t begin, std::int64_t end, const Communicator* ranks,
                  std::int64_t shard_size, int threads);
  /// The batch of a step; steps must be requested in order. Valid until the next call.
  [[nodiscard]] RowSelection of(const Dataset& training, std::int64_t step);

 private:
  /// The part of a batch that a rank reads: the rows of its shards, or a single row if it has none.
  struct Part {
    int rank = 0, ranks = 1;
    std::int64_t shard_size = 0;
    [[nodiscard]] Share of(std::int64_t rows) const;
  };

  /// Brings the row of the next step closer, where a step takes one row.
  void prefetch(const Dataset& training, std::int64_t step);

  RowOrder order_;
  const RowNumbers* numbers_ = nullptr;
  std::optional<Part> part_;
  Dataset read_;
  std::unique_ptr<data::ReadAhead> ahead_;
  std::shared_ptr<const char> prefetched_;     // the data whose
  std::vector<data::RowSource> columns_ = {};  // columns these are
};

}  // namespace thalweg
