#include "core/index.hpp"

#include <gtest/gtest.h>

#include <array>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using Place = Id<struct PlaceTag>;
using Other = Id<struct OtherTag>;

template <class I>
constexpr bool indexes = requires(IndexVector<Place, int> list, I i) {
  list[i];
};

TEST(At, GivesTheElementToReadAndToWrite) {
  std::array<int, 3> list{1, 2, 3};
  at(list, 2) = 5;
  EXPECT_EQ(at(std::as_const(list), 2), 5);
  EXPECT_EQ(count(list), 3);
}

TEST(At, RefusesIndicesOutOfRange) {
  const std::vector<int> list{1, 2, 3};
  EXPECT_THROW(static_cast<void>(at(list, 3)), InternalError);
  EXPECT_THROW(static_cast<void>(at(list, -1)), InternalError);
}

TEST(Id, IsNoneUnlessItIsGivenAnIndex) {
  EXPECT_FALSE(Place());
  EXPECT_TRUE(Place(0));
  EXPECT_LT(Place(1), Place(2));
}

TEST(IndexVector, TakesOnlyItsOwnIdType) {
  static_assert(indexes<Place> && !indexes<Other> && !indexes<int>);
  IndexVector<Place, int> list;
  const Place first = list.push_back(7), second = list.push_back(8);
  EXPECT_EQ(list[first], 7);
  EXPECT_EQ(list[second], 8);
  EXPECT_THROW(static_cast<void>(list[Place()]), InternalError);
  int seen = 0;
  for (const Place place : list.ids()) seen += list[place];
  EXPECT_EQ(seen, 15);
}

}  // namespace
}  // namespace thalweg
