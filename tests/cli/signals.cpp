// Signal handling: on an alternate stack, and in the main thread only.

#include "cli/signals.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/workers.hpp"

namespace thalweg::testing {
namespace {

bool has_stack_of_its_own() {
  stack_t stack{};
  sigaltstack(nullptr, &stack);
  return !(stack.ss_flags & SS_DISABLE);
}

TEST(Signals, AreHandledOnAStackOfTheirOwn) {
  const bool before = has_stack_of_its_own();
  {
    const cli::SignalWatch watch;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXFSZ}) {
      struct sigaction action {};
      sigaction(signal, nullptr, &action);
      EXPECT_TRUE(action.sa_handler == SIG_IGN || action.sa_flags & SA_ONSTACK) << signal;
    }
    EXPECT_TRUE(has_stack_of_its_own());
    EXPECT_EQ(watch.received(), 0);
    raise(SIGUSR1);
    EXPECT_EQ(watch.received(), SIGUSR1);
  }
  EXPECT_EQ(has_stack_of_its_own(), before);
}

TEST(Signals, DoNotReachTheWorkers) {
  Workers workers(3);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> helped = 0, open = 0;
  for (int tries = 0; tries < 200 && helped == 0; ++tries) {
    workers.run(64, [&](std::int64_t) {
      if (std::this_thread::get_id() == caller) return std::this_thread::sleep_for(std::chrono::microseconds(200));
      sigset_t blocked;
      pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
      ++helped;
      open += !sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM);
    });
  }
  EXPECT_GT(helped, 0);
  EXPECT_EQ(open, 0);
}

}  // namespace
}  // namespace thalweg::testing
