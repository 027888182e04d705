#include "kernels/timing.hpp"

#include <time.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace thalweg {

namespace {

constexpr int rounds = 5;
constexpr double a_round = 2e-3;   // seconds
constexpr double too_long = 0.05;  // a call that takes longer is made only twice in all

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

double seconds_a_call(Workers& workers, std::int64_t at_once,
                      const std::function<void(std::int64_t, std::int64_t)>& call) {
  std::vector<double> seconds(static_cast<std::size_t>(at_once));
  std::int64_t done = 0;
  const clockid_t clock = at_once == workers.threads() ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  // each thread measures its own time, so that a thread that wakes up late does not count
  const auto round = [&](std::int64_t times) {
    workers.run(at_once, [&](std::int64_t thread) {
      const FlushDenormals flush;
      const double begin = seconds_of(clock);
      for (std::int64_t i = 0; i < times; ++i) call(thread, done + i);
      seconds[static_cast<std::size_t>(thread)] = seconds_of(clock) - begin;
    });
    done += times;
    const double all = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    return all / static_cast<double>(at_once * times);
  };
  const double first = std::min(round(1), round(1));  // the very first call finds cold caches
  if (first > too_long) return first;
  const auto times = static_cast<std::int64_t>(std::clamp(a_round / std::max(first, 1e-8), 1.0, 1e5));
  std::vector<double> each;
  for (int i = 0; i < rounds; ++i) each.push_back(round(times));
  std::ranges::nth_element(each, each.begin() + rounds / 2);
  return each[rounds / 2];
}

}  // namespace thalweg
