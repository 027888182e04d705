#include "data/read_ahead.hpp"

#include <algorithm>
#include <system_error>

#include "core/error.hpp"

namespace thalweg::data {

ReadAhead::ReadAhead(const Dataset& data, NextRows next_rows, int threads)
    : data_(data), next_rows_(std::move(next_rows)), at_most_(threads + 1) {
  threads_.reserve(static_cast<std::size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { read_batches(); });
  } catch (const std::system_error&) {  // the system cannot start more threads
  }
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReadAhead::read_batches() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return over_ || asked_ < taken_ + at_most_; });
    if (over_) return;
    Batch batch;
    std::optional<std::vector<std::int64_t>> rows;
    try {
      rows = next_rows_();
    } catch (...) {
      batch.error = std::current_exception();
    }
    over_ = !rows;
    if (rows || batch.error) {
      const std::int64_t number = asked_++;
      lock.unlock();
      if (rows) read(*rows, batch);
      lock.lock();
      ready_.emplace(number, std::move(batch));
    }
    changed_.notify_all();
  }
}

void ReadAhead::read(const std::vector<std::int64_t>& rows, Batch& batch) const {
  try {
    batch.rows = data_.take(rows);
  } catch (...) {
    batch.error = std::current_exception();
  }
}

Dataset ReadAhead::next() {
  if (threads_.empty()) {  // no thread reads ahead
    const auto rows = next_rows_();
    if (!rows) defect("a batch asked for after the last");
    return data_.take(*rows);
  }
  std::unique_lock lock(mutex_);
  const auto is_there = [&] { return ready_.contains(taken_); };
  changed_.wait(lock, [&] { return is_there() || (over_ && taken_ >= asked_); });
  if (!is_there()) defect("batch {} asked for, and there are {}", taken_, asked_);
  auto batch = ready_.extract(taken_++);
  changed_.notify_all();
  if (batch.mapped().error) std::rethrow_exception(batch.mapped().error);
  return std::move(batch.mapped().rows);
}

ReadAhead::NextRows in_portions(std::vector<std::int64_t> rows, std::int64_t at_once) {
  return [rows = std::move(rows), at_once, begun = std::size_t{0}]() mutable {
    std::optional<std::vector<std::int64_t>> portion;
    if (begun == rows.size()) return portion;
    const auto part = std::span(rows).subspan(begun, std::min(static_cast<std::size_t>(at_once), rows.size() - begun));
    begun += part.size();
    portion.emplace(part.begin(), part.end());
    return portion;
  };
}

}  // namespace thalweg::data
