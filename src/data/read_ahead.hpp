#pragma once
// Reads the batches of a streaming dataset before they are needed.

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "thalweg/data.hpp"

namespace thalweg::data {

/// Reads batches on its own threads while earlier batches are processed. They are returned in the requested order,
/// whichever thread reads them, and each equals the result of Dataset::take.
class ReadAhead {
 public:
  /// The rows of the next batch; nothing after the last. Called by one thread at a time, in order.
  using NextRows = std::function<std::optional<std::vector<std::int64_t>>()>;

  /// `data` must outlive this. At most (number of threads + 1) batches wait.
  ReadAhead(const Dataset& data, NextRows next_rows, int threads);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Waits for the next batch; rethrows an exception of reading it. Must not be called more often than there are
  /// batches.
  [[nodiscard]] Dataset next();

 private:
  struct Batch {
    Dataset rows;
    std::exception_ptr error;
  };
  void read_batches();
  void read(const std::vector<std::int64_t>& rows, Batch& batch) const;

  const Dataset& data_;
  NextRows next_rows_;
  std::int64_t at_most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, Batch> ready_;  // by batch number
  std::int64_t asked_ = 0, taken_ = 0;   // numbers of batches that were begun, and that were returned
  bool over_ = false;                    // whether no further batch is begun
  std::vector<std::thread> threads_;
};

/// Cuts these rows, in order, into batches of this size.
[[nodiscard]] ReadAhead::NextRows in_portions(std::vector<std::int64_t> rows, std::int64_t at_once);

}  // namespace thalweg::data
