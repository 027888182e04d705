#include "core/hint.hpp"

#include <gtest/gtest.h>

namespace thalweg {
namespace {

TEST(Hint, IsLeftOutOfAMessageInsideAnother) {
  EXPECT_EQ(before_hint("[a] b is c. Hint: d."), "[a] b is c");
  EXPECT_EQ(before_hint("[a] b is c: 1.5"), "[a] b is c: 1.5");
  EXPECT_EQ(before_hint("[a] b is c."), "[a] b is c");
  EXPECT_EQ(before_hint(""), "");
}

TEST(Hint, ComesAfterANote) {
  EXPECT_EQ(with_note("[a] b. Hint: c", "line 3"), "[a] b (line 3). Hint: c");
  EXPECT_EQ(with_note("[a] b", "line 3"), "[a] b (line 3)");
}

}  // namespace
}  // namespace thalweg
