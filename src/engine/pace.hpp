#pragma once
// Whether small steps run on one thread or on all: whichever takes less time on this machine at this time. Where a step
// takes a few hundred microseconds, moving its numbers from core to core may take longer than a second core saves, and
// a core may be busy with something else. The results have the same bits either way.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "core/workers.hpp"

namespace thalweg {

class Pace {
 public:
  struct Next {
    bool alone = false;
    bool measured = false;  ///< its time is to be noted
  };
  /// How the next step runs, on so many rows. Where they are many more than those tried, all begins anew.
  [[nodiscard]] Next next(std::int64_t rows);
  /// The time of the step before.
  void note(double seconds);

  /// A step that runs so, and notes its time.
  class Step {
   public:
    Step(Pace& pace, std::int64_t rows, Workers& workers);
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    using Clock = std::chrono::steady_clock;
    Pace& pace_;
    Workers& workers_;
    std::optional<Clock::time_point> begin_;
  };

 private:
  /// A trial is a few steps on all threads, then as many on one. The first of each find the memory in other caches.
  static constexpr int unmeasured = 2, measured = 5, each = unmeasured + measured;
  static constexpr int before_first_trial = 10, between_trials = 1000;
  static constexpr double longest = 3e-3;  ///< seconds; longer steps are not tried on one thread
  static constexpr int most_long = 3;      ///< so many long ones in succession end the time alone

  [[nodiscard]] static double median(std::array<double, measured> seconds);

  std::int64_t rows_ = 0;          ///< of the steps that are tried
  int left_ = before_first_trial;  ///< steps until the next trial
  int step_ = 0;                   ///< of the trial
  bool in_trial_ = false, is_alone_ = false;
  int long_ = 0;  ///< long steps alone, in succession
  std::array<double, measured> together_{}, alone_{};
};

}  // namespace thalweg
