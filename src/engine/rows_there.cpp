#include "engine/rows_there.hpp"

#include "kernels/copy_rows.hpp"

namespace thalweg {

bool RowsThere::reside(const Dataset& data) {
  if (resident_ && resident_ == data.identity()) return true;
  if (data.streams() || (refused_ && refused_ == data.identity())) return false;
  std::size_t bytes = 0;
  for (const auto& [name, values] : data.columns()) bytes += values.bytes();
  if (bytes > most_bytes) {
    refused_ = data.identity();
    return false;
  }
  resident_.reset();
  sources_.clear();
  columns_.clear();
  for (const auto& [name, values] : data.columns()) {
    data::RowSource source = data::row_source(values);
    columns_.emplace_back(values.bytes(), &device_);
    device_.write(columns_.back().data(), source.first, values.bytes());
    source.first = columns_.back().data();
    sources_.push_back(source);
  }
  resident_ = data.identity();
  return true;
}

void RowsThere::place(const RowSelection& batch, std::int64_t begin, std::int64_t count, std::byte* into,
                      std::byte** bases, Workers& workers) {
  const auto first = static_cast<std::size_t>(begin), rows = static_cast<std::size_t>(count);
  if (!batch.rows.empty()) {
    const auto chosen = batch.rows.subspan(first, rows);
    data::check_rows(chosen, batch.data.rows());
    if (reside(batch.data)) return pick(chosen, into, bases, workers);
  } else if (resident_ && resident_ == batch.data.identity()) {
    for (std::size_t i = 0; i < sources_.size(); ++i)
      bases[i] = const_cast<std::byte*>(sources_[i].first) + first * sources_[i].row_bytes;
    return;
  }
  send(batch, first, rows, into, bases);
}

void RowsThere::pick(std::span<const std::int64_t> rows, std::byte* into, std::byte** bases, Workers& workers) {
  if (numbers_.size() < rows.size_bytes()) numbers_ = Block(rows.size_bytes(), &device_);
  device_.write(numbers_.data(), reinterpret_cast<const std::byte*>(rows.data()), rows.size_bytes());
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const auto& [first, count, row_bytes] = sources_[i];
    const std::pair key(row_bytes, static_cast<std::int64_t>(rows.size()));
    auto kernel = kernels_.find(key);
    if (kernel == kernels_.end()) kernel = kernels_.emplace(key, device_.rows(key.first, key.second)).first;
    if (scratch_.size() < kernel->second.scratch) scratch_ = Block(kernel->second.scratch, &device_);
    const std::byte* inputs[] = {first, numbers_.data()};
    bases[i] = into;
    kernel->second.run({&into, inputs, scratch_.data(), workers});
    into += aligned(row_bytes * rows.size());
  }
}

void RowsThere::send(const RowSelection& batch, std::size_t begin, std::size_t count, std::byte* into,
                     std::byte** bases) {
  for (std::size_t i = 0; i < batch.data.columns().size(); ++i) {
    const auto source = data::row_source(batch.data.columns()[i].second);
    const std::size_t bytes = source.row_bytes * count;
    const std::byte* from = source.first + begin * source.row_bytes;
    if (!batch.rows.empty()) {
      picked_.resize(std::max(picked_.size(), bytes));
      copy_rows(source.first, source.row_bytes, batch.rows.subspan(begin, count), picked_.data());
      from = picked_.data();
    }
    device_.write(into, from, bytes);
    bases[i] = into;
    into += aligned(bytes);
  }
}

}  // namespace thalweg
