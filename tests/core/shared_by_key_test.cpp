#include "core/shared_by_key.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace thalweg {
namespace {

TEST(SharedByKey, GivesTheSameObjectAsLongAsSomebodyHasIt) {
  SharedByKey<int> known;
  int made = 0;
  const auto get = [&](const std::string& key) {
    return known.get(key, [&] { return std::make_shared<const int>(made++); });
  };
  const auto first = get("a"), other = get("b"), again = get("a");
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_EQ(made, 2);
  { const auto brief = get("c"); }
  EXPECT_EQ(*get("c"), 3) << "the first one is gone";
}

TEST(SharedByKey, KeepsThoseInUseWhileItForgetsOthers) {
  SharedByKey<int> known;
  std::vector<std::shared_ptr<const int>> kept;
  for (int i = 0; i < 2000; ++i) {
    auto object = known.get(std::to_string(i), [&] { return std::make_shared<const int>(i); });
    if (i % 10 == 0) kept.push_back(object);
  }
  for (int i = 0; i < 2000; i += 10) {
    const auto found = known.get(std::to_string(i), [] { return std::make_shared<const int>(-1); });
    ASSERT_EQ(found, kept[static_cast<std::size_t>(i / 10)]);
  }
}

TEST(SharedByKey, KeysOfPlainValuesDiffer) {
  std::string a, b;
  add_to_key(a, 1, std::int64_t{2}, true);
  add_to_key(b, 1, std::int64_t{3}, true);
  EXPECT_EQ(a.size(), sizeof(int) + sizeof(std::int64_t) + sizeof(bool));
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace thalweg
