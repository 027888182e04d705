#include "train/shards.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>

namespace thalweg {
namespace {

TEST(BlockPool, LendsTheSmallestThatIsLargeEnough) {
  BlockPool pool;
  const std::byte *small = nullptr, *large = nullptr;
  {
    const auto a = pool.take(1000), b = pool.take(100);
    large = a.data();
    small = b.data();
  }
  for (int step = 0; step < 3; ++step) {  // in either order, and the same blocks again
    const auto first = pool.take(step % 2 ? 1000 : 100), second = pool.take(step % 2 ? 100 : 1000);
    EXPECT_EQ(first.data(), step % 2 ? large : small);
    EXPECT_EQ(second.data(), step % 2 ? small : large);
  }
}

TEST(TreeSum, AThreadGoesOnBesideItsLastShard) {
  BlockPool pool;
  Workers workers(1);
  for (const std::int64_t shards : {1, 2, 3, 4, 5, 8}) {
    TreeSum tree(shards, 0, f32, 0, pool, workers);
    std::vector<std::int64_t> taken;
    const auto take_some = [&](std::int64_t count) {
      while (count-- > 0 && std::ssize(taken) < shards) taken.push_back(tree.take());
    };
    take_some(1);
    std::thread(take_some, 1).join();  // another thread begins a pair of its own
    if (shards >= 3) {
      EXPECT_EQ(taken[1], 2);
    }
    take_some(1);
    if (shards >= 3) {
      EXPECT_EQ(taken[2], 1);
    }
    std::thread(take_some, shards).join();  // and one that comes late takes what there is
    std::ranges::sort(taken);
    std::vector<std::int64_t> all(static_cast<std::size_t>(shards));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(taken, all);
  }
}

}  // namespace
}  // namespace thalweg
