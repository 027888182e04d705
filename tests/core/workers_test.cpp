#include "core/workers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

namespace thalweg {
namespace {

TEST(Workers, EveryTaskRunsOnce) {
  for (int threads : {1, 2, 3, 4}) {
    Workers workers(threads);
    EXPECT_EQ(workers.threads(), threads);
    for (std::int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<int> runs(static_cast<std::size_t>(count), 0);
      workers.run(count, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
      EXPECT_EQ(std::accumulate(runs.begin(), runs.end(), 0), count);
    }
  }
}

TEST(Workers, TheDefaultNumberCanBeSetForAWhile) {
  const int before = default_threads();
  {
    const DefaultThreads three(3);
    EXPECT_EQ(Workers().threads(), 3);
    const DefaultThreads two(2), kept(0);
    EXPECT_EQ(Workers().threads(), 2);
    EXPECT_EQ(Workers(1).threads(), 1);
  }
  EXPECT_EQ(default_threads(), before);
}

TEST(Workers, OfTwoThreadsOneTakesTheFirstTasksAndTheOtherTheLast) {
  Workers workers(2);
  for (int round = 0; round < 50; ++round) {
    const auto poster = std::this_thread::get_id();
    std::array<bool, 6> by_poster{};
    std::atomic<int> posters = 0, helpers = 0;
    workers.run(6, [&](std::int64_t task) {
      const bool mine = std::this_thread::get_id() == poster;
      by_poster[static_cast<std::size_t>(task)] = mine;
      // each thread waits until the other has had as many tasks, up to two; if tasks were handed out in order, those of
      // the two threads would alternate
      const int had = ++(mine ? posters : helpers);
      while ((mine ? helpers : posters) < std::min(had, 2)) std::this_thread::yield();
    });
    EXPECT_TRUE(by_poster[0] && by_poster[1]);
    EXPECT_FALSE(by_poster[4] || by_poster[5]);
    EXPECT_TRUE(std::ranges::is_sorted(by_poster, std::greater<>())) << "round " << round;
  }
}

TEST(Workers, TasksMayRunTasks) {
  Workers workers(3);
  std::vector<std::int64_t> sums(20, 0);
  workers.run(20, [&](std::int64_t outer) {
    std::vector<std::int64_t> parts(50, 0);
    workers.run(50, [&](std::int64_t inner) {
      std::atomic<std::int64_t> deepest = 0;
      workers.run(3, [&](std::int64_t i) { deepest += i; });
      parts[static_cast<std::size_t>(inner)] = outer * inner + deepest;
    });
    sums[static_cast<std::size_t>(outer)] = std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
  });
  for (std::int64_t outer = 0; outer < 20; ++outer)
    EXPECT_EQ(sums[static_cast<std::size_t>(outer)], outer * 1225 + 150);
}

TEST(Workers, TheExceptionOfTheFirstFailedTaskIsRethrown) {
  for (int threads : {1, 4}) {
    Workers workers(threads);
    for (int repeat = 0; repeat < 200; ++repeat) {
      try {
        workers.run(40, [](std::int64_t i) {
          if (i % 7 == 3) throw std::runtime_error(std::to_string(i));
        });
        FAIL();
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "3");
      }
    }
    std::atomic<int> after = 0;
    workers.run(10, [&](std::int64_t) { ++after; });
    EXPECT_EQ(after, 10);
  }
}

TEST(Workers, ExceptionsCrossNestedRuns) {
  Workers workers(3);
  EXPECT_THROW(workers.run(4,
                           [&](std::int64_t outer) {
                             workers.run(4, [&](std::int64_t inner) {
                               if (outer == 2 && inner == 1) throw std::out_of_range("there");
                             });
                           }),
               std::out_of_range);
}

TEST(Workers, ManySmallJobsFromSeveralThreads) {
  Workers workers(3);
  std::atomic<std::int64_t> total = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int job = 0; job < 2000; ++job) {
        std::int64_t parts[5] = {};
        workers.run(5, [&](std::int64_t i) { parts[i] = i; });
        total += std::accumulate(parts, parts + 5, std::int64_t{0});
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 3 * 2000 * 10);
}

TEST(Workers, SleepingThreadsWakeUp) {
  Workers workers(4);
  for (int job = 0; job < 5; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> runs = 0;
    workers.run(100, [&](std::int64_t) { ++runs; });
    EXPECT_EQ(runs, 100);
  }
}

TEST(FlushDenormals, HoldsForTasksOnOtherThreadsToo) {
  Workers workers(3);
  const auto flushed = [&] {
    std::atomic<int> zeros = 0;
    workers.run(48, [&](std::int64_t) {
      volatile float small = 1e-38F;
      const float smaller = small * 0.01F;
      zeros += smaller == 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // so that no thread runs all of them
    });
    return zeros.load();
  };
  EXPECT_EQ(flushed(), 0);
  {
    const FlushDenormals flush;
    EXPECT_EQ(flushed(), 48);
  }
  EXPECT_EQ(flushed(), 0);
}

TEST(FlushDenormals, PutsTheModeBack) {
  volatile float tiny = 1e-39F;
  {
    const FlushDenormals flush;
    volatile float product = tiny * 1.0F;
    EXPECT_EQ(product, 0.0F);
  }
  volatile float product = tiny * 1.0F;
  EXPECT_NE(product, 0.0F);
}

}  // namespace
}  // namespace thalweg
