#include "plan/shelf.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace thalweg {
namespace {

bool meet(const Buffer& a, const Buffer& b) { return a.lives_with(b) && a.offset < b.end() && b.offset < a.end(); }

/// The lowest free offset: it is 0 or the end of another buffer.
std::int64_t lowest_offset(Buffer buffer, const std::vector<Buffer>& placed) {
  std::vector<std::int64_t> offsets{0};
  for (const Buffer& other : placed) offsets.push_back(other.end());
  std::ranges::sort(offsets);
  for (const std::int64_t offset : offsets) {
    buffer.offset = offset;
    if (std::ranges::none_of(placed, [&](const Buffer& other) { return meet(buffer, other); })) return offset;
  }
  return -1;
}

TEST(Shelf, PutsEachAtTheLowestFreeOffset) {
  std::mt19937_64 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  for (const int longest : {3, 40, 400}) {
    std::vector<Buffer> buffers, placed;
    for (int i = 0; i < 700; ++i) {
      const int first = below(400);
      buffers.push_back({64 * (1 + below(5)), first, first + below(longest)});
    }
    std::ranges::stable_sort(buffers, std::ranges::greater(), &Buffer::bytes);
    Shelf shelf;
    std::int64_t end = 0;
    for (Buffer& buffer : buffers) {
      shelf.place(buffer);
      ASSERT_EQ(buffer.offset, lowest_offset(buffer, placed)) << "buffer " << placed.size();
      placed.push_back(buffer);
      end = std::max(end, buffer.end());
    }
    EXPECT_EQ(shelf.end(), end);
  }
}

TEST(Shelf, StacksTheBuffersBetweenForwardAndBackwardPass) {
  constexpr int steps = 3000;
  Shelf shelf;
  for (int i = 0; i < steps; ++i) {
    Buffer kept{64, i, 2 * steps - i};
    shelf.place(kept);
    ASSERT_EQ(kept.offset, 64 * i);
  }
  Buffer late{64, 2 * steps - 10, 2 * steps - 10};  // only the first eleven buffers still live then
  shelf.place(late);
  EXPECT_EQ(late.offset, 64 * 11);
}

}  // namespace
}  // namespace thalweg
