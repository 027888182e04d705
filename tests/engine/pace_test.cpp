// Whether small steps run on one thread or on all.

#include "engine/pace.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace thalweg {
namespace {

/// Takes steps that need so many seconds on all threads and on one; returns how many of them ran alone.
int alone_in(Pace& pace, int steps, double together, double alone, std::int64_t rows = 16) {
  int found = 0;
  for (int i = 0; i < steps; ++i) {
    const Pace::Next next = pace.next(rows);
    found += next.alone ? 1 : 0;
    if (next.measured) pace.note(next.alone ? alone : together);
  }
  return found;
}

TEST(Pace, ChoosesWhatTakesLessTime) {
  Pace pace;
  EXPECT_EQ(alone_in(pace, 10, 2e-4, 1e-4), 0);  // until the first trial
  EXPECT_EQ(alone_in(pace, 14, 2e-4, 1e-4), 7);  // half of it
  EXPECT_EQ(alone_in(pace, 1000, 2e-4, 1e-4), 1000);
  // the next trial: now the other cores are free
  EXPECT_EQ(alone_in(pace, 14, 1e-4, 2e-4), 7);
  EXPECT_EQ(alone_in(pace, 1000, 1e-4, 2e-4), 0);
}

TEST(Pace, OneSlowStepDecidesNothing) {
  Pace pace;
  (void)alone_in(pace, 10, 1e-4, 2e-4);
  for (int i = 0; i < 14; ++i) {
    const Pace::Next next = pace.next(16);
    pace.note(next.alone ? 2e-4 : i == 3 ? 1e-3 : 1e-4);
  }
  EXPECT_EQ(alone_in(pace, 1000, 1e-4, 2e-4), 0);
}

TEST(Pace, StepsOfManyMoreRowsAreTriedAnew) {
  Pace pace;
  (void)alone_in(pace, 24, 2e-4, 1e-4);
  EXPECT_EQ(alone_in(pace, 5, 2e-4, 1e-4, 7), 5);  // the last batch of an epoch
  EXPECT_EQ(alone_in(pace, 10, 5e-2, 1e-1, 4096), 0);
  EXPECT_EQ(alone_in(pace, 5000, 5e-2, 1e-1, 4096), 0);  // they are long
  EXPECT_EQ(alone_in(pace, 5, 2e-4, 1e-4), 0);
}

TEST(Pace, StepsThatBecomeLongDoNotStayAlone) {
  Pace pace;
  (void)alone_in(pace, 24, 2e-4, 1e-4);
  EXPECT_EQ(alone_in(pace, 500, 5e-2, 1e-1), 3);
}

TEST(Pace, LongStepsAreNotTriedAlone) {
  Pace pace;
  EXPECT_EQ(alone_in(pace, 5000, 4e-3, 1e-3), 0);
}

TEST(Pace, AStepAloneUsesThisThreadOnly) {
  Pace pace;
  Workers workers(3);
  int alone = 0;
  for (int i = 0; i < 24; ++i) {
    const Pace::Step step(pace, 16, workers);
    std::atomic<int> here = 0;
    workers.run(64,
                [&, self = std::this_thread::get_id()](std::int64_t) { here += std::this_thread::get_id() == self; });
    alone += here == 64 ? 1 : 0;
  }
  EXPECT_GE(alone, 7);  // half of the trial
  std::latch both(2);   // then the others help again: one task waits for the other
  workers.run(2, [&](std::int64_t) { both.arrive_and_wait(); });
}

}  // namespace
}  // namespace thalweg
