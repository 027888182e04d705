#pragma once
// One sitting of a run: from its start, or from where it was stopped, to its end or the next stop. It prints the
// progress, writes the logs and handles signals during the training.

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
  /// `epochs` is the number of epochs of the run, if it counts them.
  Sitting(const RunFolder& folder, ProgressStyle style, std::int64_t epochs);

  /// For a resumed run: continues after this step. Log lines and media of later steps are removed. Until this sitting
  /// takes a step, earlier media are shown again only if they have changed.
  void go_on_after(std::int64_t step);
  /// The options plus those of a sitting: progress, metrics.jsonl, checkpoints, and the stop at a signal. Callbacks of
  /// `options` are still called. The result refers to this object.
  [[nodiscard]] FitOptions watched(FitOptions options, std::vector<std::string> layers);
  /// Sets the function that makes the media to show after an epoch. It is called for the first and the last epoch, and
  /// for some between.
  void show(std::function<NamedMedia()> media) { show_ = std::move(media); }
  /// Sets a metric of the epochs that is shown in the line of progress; none if the name is empty.
  void watch(std::string metric) { progress_.watch(std::move(metric)); }
  void show_now(NamedMedia media);
  /// Records the result of a look at the run.
  void note(const Look& look) { log_.add(look); }

  /// Ends the line of progress, and records the time that the run has taken.
  void end();
  /// The history of the whole run: earlier sittings from the log, then `last`, the history of this sitting.
  [[nodiscard]] History whole(History last) const;
  /// The history from the log alone, if this sitting ended without one.
  [[nodiscard]] History logged() const;
  [[nodiscard]] std::int64_t last_step() const { return last_step_; }
  [[nodiscard]] std::int64_t total_steps() const { return total_steps_; }
  /// The time that the run has taken so far: all of earlier sittings, and this one up to now.
  [[nodiscard]] double seconds() const;
  /// The received signal; 0 if there was none.
  [[nodiscard]] int signal() const { return signals_.received(); }

  /// Whether this step (from 1) of a run of `total` steps is always logged.
  [[nodiscard]] static bool logs(std::int64_t step, std::int64_t total) {
    return step == 1 || step % std::max<std::int64_t>(1, total / 1000) == 0;
  }

  // For a loop that has no FitOptions. The sitting's own clock measures the seconds of epochs.
  void step(const StepReport& report);
  void epoch(EpochReport report);
  /// A step that is an epoch by itself, for a loop without a known end.
  void turn(EpochReport report);
  /// Sets the number of epochs, if it becomes known only later.
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
  double first_norm_ = 0, seconds_before_ = 0;  // seconds_before_: the time of earlier sittings
  std::int64_t epochs_, last_step_ = 0, total_steps_ = 0, epoch_ = 0;
};

}  // namespace thalweg::cli
