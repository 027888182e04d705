#pragma once
// One sitting of a run: from its start, or from where it was stopped, to its end or the next stop. What it says, writes
// and listens to while it trains.

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/progress.hpp"
#include "cli/signals.hpp"
#include "run/media_log.hpp"
#include "run/run.hpp"

namespace thalweg::cli {

class Sitting {
 public:
  /// `epochs` are those of the run, where it counts them.
  Sitting(const RunFolder& folder, ProgressStyle style, std::int64_t epochs);

  /// Of a run that goes on: behind which of its steps. What was logged and shown after it is taken back, and what was
  /// shown before is not shown again unless it has changed, until this sitting takes a step.
  void go_on_after(std::int64_t step);
  /// The options with all that a sitting adds: progress, metrics.jsonl, checkpoints, and the stop that a signal asks
  /// for. What they are told is handed on. They refer to this object.
  [[nodiscard]] FitOptions watched(FitOptions options, std::vector<std::string> layers);
  /// What is to be shown after an epoch, which is asked for at the first, the last and some between.
  void show(std::function<NamedMedia()> media) { show_ = std::move(media); }
  /// A metric of the epochs that stands in the line of progress; none where it is empty.
  void watch(std::string metric) { progress_.watch(std::move(metric)); }
  void show_now(NamedMedia media);
  /// What a look at the run found.
  void note(const Look& look) { log_.add(look); }

  /// Ends the line of progress, and writes down the time that the run has taken.
  void end();
  /// The history of the whole run: earlier sittings as the log has them, and what came of this one.
  [[nodiscard]] History whole(History last) const;
  /// What is logged so far, where no more came of it.
  [[nodiscard]] History logged() const;
  [[nodiscard]] std::int64_t last_step() const { return last_step_; }
  [[nodiscard]] std::int64_t total_steps() const { return total_steps_; }
  /// The time that the run has taken so far: all of earlier sittings, and this one up to now.
  [[nodiscard]] double seconds() const;
  /// The signal that came; 0 where none did.
  [[nodiscard]] int signal() const { return signals_.received(); }

  /// Whether the step of that number, from 1, is written down of a run of `total`, whatever comes of it.
  [[nodiscard]] static bool logs(std::int64_t step, std::int64_t total) {
    return step == 1 || step % std::max<std::int64_t>(1, total / 1000) == 0;
  }

  // For a loop that has no FitOptions. The seconds of epochs are those of the sitting's own clock.
  void step(const StepReport& report);
  void epoch(EpochReport report);
  /// A step that is an epoch by itself, of a loop that has no end that is known.
  void turn(EpochReport report);
  /// Where they are known only later.
  void set_epochs(std::int64_t epochs);

 private:
  void begin_at(std::int64_t step);
  [[nodiscard]] bool is_shown(const EpochReport& report) const;

  SignalWatch signals_;
  MetricsLog log_;
  MediaLog media_;
  ProgressLine progress_;
  std::vector<std::string> layers_;
  std::function<NamedMedia()> show_;
  bool first_ = true, restores_best_ = true;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  double first_norm_ = 0, seconds_before_ = 0;  // the latter of earlier sittings
  std::int64_t epochs_, last_step_ = 0, total_steps_ = 0, epoch_ = 0;
};

}  // namespace thalweg::cli
