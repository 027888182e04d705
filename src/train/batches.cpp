#include "train/batches.hpp"

#include <algorithm>

#include "distributed/communicator.hpp"

namespace thalweg {

Share Batches::Part::of(std::int64_t rows) const {
  const Share own = rows_of(rank, ranks, rows, std::min(rows, shard_size));
  return own.size() > 0 ? own : Share{0, 1};
}

void Batches::read_ahead(const Dataset& data, std::int64_t begin, std::int64_t end, const Communicator* ranks,
                         std::int64_t shard_size, int threads) {
  if (ranks) part_ = {ranks->rank(), ranks->size(), shard_size};
  auto next = [order = order_, part = part_, step = begin, end]() mutable {
    std::optional<std::vector<std::int64_t>> rows;
    if (step == end) return rows;
    const auto chosen = order.rows_of(step++);
    const Share own = part ? part->of(std::ssize(chosen)) : Share{0, std::ssize(chosen)};
    rows.emplace(chosen.begin() + own.first, chosen.begin() + own.last);
    return rows;
  };
  ahead_ = std::make_unique<data::ReadAhead>(data, std::move(next), threads);
}

RowSelection Batches::of(const Dataset& training, std::int64_t step) {
  if (!ahead_) return {.data = training, .rows = order_.rows_of(step), .numbers = numbers_};
  read_ = ahead_->next();
  if (!part_) return {read_};
  const std::int64_t rows = std::ssize(order_.rows_of(step));
  return {read_, {}, part_->of(rows).first, rows};
}

}  // namespace thalweg
