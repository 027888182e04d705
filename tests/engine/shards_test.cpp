#include "engine/shards.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace thalweg {
namespace {

TEST(BlockPool, LendsTheSmallestBlockThatIsLargeEnough) {
  BlockPool pool;
  const std::byte *small = nullptr, *large = nullptr;
  {
    const auto a = pool.take(1000), b = pool.take(100);
    large = a.data();
    small = b.data();
  }
  for (int step = 0; step < 3; ++step) {  // the same blocks again, in either order
    const auto first = pool.take(step % 2 ? 1000 : 100), second = pool.take(step % 2 ? 100 : 1000);
    EXPECT_EQ(first.data(), step % 2 ? large : small);
    EXPECT_EQ(second.data(), step % 2 ? small : large);
  }
}

TEST(BlockPool, LendsAThreadTheBlockItHadLast) {
  BlockPool pool;
  const std::byte *mine = nullptr, *other = nullptr;
  {
    const auto first = pool.take(100);  // not given back before the other thread takes its block
    mine = first.data();
    std::thread([&] {
      const auto second = pool.take(100);
      other = second.data();
    }).join();
  }
  ASSERT_NE(mine, other);  // the other block was given back first
  for (int round = 0; round < 3; ++round) EXPECT_EQ(pool.take(100).data(), mine);
}

}  // namespace
}  // namespace thalweg
