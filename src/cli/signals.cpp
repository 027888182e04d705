#include "cli/signals.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>

namespace thalweg::cli {

namespace {

// A signal handler may run on any thread, and may touch nothing but atomics without locks.
std::atomic<int> last_signal = 0;
std::atomic<int> noted_at = 0;  // in tenths of a second
static_assert(std::atomic<int>::is_always_lock_free);

int tenths() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int>(now.tv_sec % 10'000'000 * 10 + now.tv_nsec / 100'000'000);
}

/// `timeout` sends a signal to the process and then to its group: a second one within 0.2 seconds counts as the same.
void note(int signal) {
  const bool repeats = last_signal != 0;
  if (repeats && signal != SIGXFSZ && tenths() - noted_at > 2) ::_exit(128 + signal);
  if (repeats) return;
  noted_at = tenths();
  last_signal = signal;
}

}  // namespace

SignalWatch::SignalWatch() {
  last_signal = 0;
  for (Watched& one : watched_) {
    one.before = std::signal(one.signal, note);
    // nohup and its like: whoever started this process does not want it to end for a terminal that is gone
    if (one.signal == SIGHUP && one.before == SIG_IGN) std::signal(one.signal, SIG_IGN);
  }
}

SignalWatch::~SignalWatch() {
  for (const Watched& one : watched_) std::signal(one.signal, one.before);
}

int SignalWatch::received() const { return last_signal; }

}  // namespace thalweg::cli
