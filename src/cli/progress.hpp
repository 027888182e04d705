#pragma once
// The progress of a run: one line that is rewritten on a terminal, plain lines at intervals elsewhere.

#include <chrono>
#include <string>

#include "thalweg/train.hpp"

namespace thalweg::cli {

enum class ProgressStyle { live, lines, json, none };
/// The style that suits standard error: live on a terminal, else lines.
[[nodiscard]] ProgressStyle progress_style(bool quiet, bool json);

class ProgressLine {
 public:
  ProgressLine(ProgressStyle style, std::int64_t epochs) : style_(style), epochs_(epochs) {}

  /// A total of 0 steps means that the end of the loop is not known; then only metrics are shown.
  void step(const StepReport& report);
  void set_epochs(std::int64_t epochs) { epochs_ = epochs; }
  void epoch(const EpochReport& report);
  /// One more metric of the epochs to show; none if the name is empty.
  void watch(std::string metric) { watched_ = std::move(metric); }
  /// Ends the live line, so that later output starts on a new line.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] std::string text() const;
  void show(bool always);

  ProgressStyle style_;
  std::int64_t epochs_;
  StepReport last_;
  Metrics metrics_;
  std::string watched_;
  std::int64_t first_step_ = 0, samples_ = 0;
  Clock::time_point began_ = Clock::now(), shown_ = Clock::time_point{};
  bool live_ = false;
};

}  // namespace thalweg::cli
