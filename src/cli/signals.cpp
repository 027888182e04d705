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
  if (last_signal != 0 && tenths() - noted_at > 2) ::_exit(128 + signal);
  if (last_signal != 0) return;
  noted_at = tenths();
  last_signal = signal;
}

}  // namespace

SignalWatch::SignalWatch() {
  last_signal = 0;
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

SignalWatch::~SignalWatch() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int SignalWatch::received() const { return last_signal; }

}  // namespace thalweg::cli
