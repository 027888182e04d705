#include "cli/signals.hpp"

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <ctime>

namespace thalweg::cli {

namespace {

// A signal handler may run on any thread, and may use only lock-free atomics.
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

constexpr std::size_t stack_size = 1 << 16;
alignas(64) std::array<std::byte, stack_size> handler_stack;  // of the only active watch
stack_t stack_before{};                                       // the stack of its thread

}  // namespace

SignalWatch::SignalWatch() {
  last_signal = 0;
  ::sigaltstack(nullptr, &stack_before);
  if (stack_before.ss_flags & SS_DISABLE) {  // otherwise the thread has a stack for handlers already
    stack_t own{};
    own.ss_sp = handler_stack.data();
    own.ss_size = handler_stack.size();
    ::sigaltstack(&own, nullptr);
  }
  for (Watched& one : watched_) {
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigaction(one.signal, &action, &one.before);
    // nohup and similar programs ignore SIGHUP, because the process shall not end when the terminal is closed
    if (one.signal == SIGHUP && one.before.sa_handler == SIG_IGN) ::sigaction(one.signal, &one.before, nullptr);
  }
}

SignalWatch::~SignalWatch() {
  for (const Watched& one : watched_) ::sigaction(one.signal, &one.before, nullptr);
  if (stack_before.ss_flags & SS_DISABLE) ::sigaltstack(&stack_before, nullptr);
}

int SignalWatch::received() const { return last_signal; }

}  // namespace thalweg::cli
