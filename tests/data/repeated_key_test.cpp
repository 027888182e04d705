#include "data/repeated_key.hpp"

#include <gtest/gtest.h>

namespace thalweg::data {
namespace {

TEST(RepeatedKey, IsFoundWithTheKeysAroundIt) {
  EXPECT_EQ(repeated_key(R"({"a":1,"b":2,"a":3})"), "a");
  EXPECT_EQ(repeated_key(R"({"a":1,"\u0061":3})"), "a");
  EXPECT_EQ(repeated_key(R"({"a":{},"b":[{"c":{"d":1,"e":{},"d":2}}]})"), "b.c.d");
}

TEST(RepeatedKey, OfOtherObjectsIsNone) {
  EXPECT_EQ(repeated_key(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":"a"}]})"), std::nullopt);
  EXPECT_EQ(repeated_key("[1, null]"), std::nullopt);
  EXPECT_EQ(repeated_key("no JSON"), std::nullopt);
}

}  // namespace
}  // namespace thalweg::data
