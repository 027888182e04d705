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

void Batches::prefetch(const Dataset& training, std::int64_t step) {
  constexpr std::size_t line = 64, longest = 1024;  // bytes
  const std::span<const std::int64_t> next = order_.rows_after(step);
  if (next.size() != 1) return;
  if (prefetched_ != training.identity()) {
    prefetched_ = training.identity();
    columns_.clear();
    for (const auto& [name, values] : training.columns()) columns_.push_back(data::row_source(values));
    std::erase_if(columns_, [](const data::RowSource& column) { return column.row_bytes > longest; });
  }
  for (const data::RowSource& column : columns_) {
    const std::byte* row = column.first + static_cast<std::size_t>(next[0]) * column.row_bytes;
    for (std::size_t at = 0; at < column.row_bytes; at += line) __builtin_prefetch(row + at);
  }
}

RowSelection Batches::of(const Dataset& training, std::int64_t step) {
  if (!ahead_) {
    const std::span<const std::int64_t> rows = order_.rows_of(step);
    prefetch(training, step);
    return {.data = training, .rows = rows, .numbers = numbers_};
  }
  read_ = ahead_->next();
  if (!part_) return {read_};
  const std::int64_t rows = std::ssize(order_.rows_of(step));
  return {read_, {}, part_->of(rows).first, rows};
}

}  // namespace thalweg
