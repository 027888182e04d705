#pragma once
// The batches of a run in their order: rows of data in memory, or rows that are read ahead.

#include "data/read_ahead.hpp"
#include "engine/row_order.hpp"
#include "engine/shard_program.hpp"

namespace thalweg {

class Communicator;

class Batches {
 public:
  Batches() = default;
  explicit Batches(RowOrder order) : order_(std::move(order)) {}

  /// For data that streams: reads the batches of the steps [begin, end) before they are asked for. Where ranks share
  /// batches in shards of `shard_size` rows (not null), this one reads the rows of its own shards alone. `data` must
  /// outlive this.
  void read_ahead(const Dataset& data, std::int64_t begin, std::int64_t end, const Communicator* ranks,
                  std::int64_t shard_size, int threads);
  /// The batch of a step, the steps in order. Valid until the next call.
  [[nodiscard]] RowSelection of(const Dataset& training, std::int64_t step);

 private:
  /// What a rank reads of a batch: the rows of its shards, or a single one where it has none.
  struct Part {
    int rank = 0, ranks = 1;
    std::int64_t shard_size = 0;
    [[nodiscard]] Share of(std::int64_t rows) const;
  };

  RowOrder order_;
  std::optional<Part> part_;
  Dataset read_;
  std::unique_ptr<data::ReadAhead> ahead_;
};

}  // namespace thalweg
