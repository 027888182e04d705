#pragma once
// The progress of countable work: on a terminal one line that is rewritten, elsewhere a new line from time to time.

#include <chrono>
#include <string>

#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace thalweg::cli {

class WorkProgress {
 public:
  /// "Lanczos: 12 of 100 products".
  WorkProgress(const Context& context, std::string name, std::string unit);
  void operator()(std::int64_t done, std::int64_t total);
  /// Ends the live line.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  ProgressStyle style_;
  std::string name_, unit_;
  Clock::time_point began_ = Clock::now(), shown_ = Clock::now();
  bool live_ = false;
};

}  // namespace thalweg::cli
