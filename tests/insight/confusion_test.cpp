#include "insight/confusion.hpp"

#include <gtest/gtest.h>

namespace thalweg {
namespace {

TEST(Confusion, CountsByTrueAndPredictedClass) {
  Confusion confusion(3);
  confusion.add(0, 0);
  confusion.add(0, 1);
  confusion.add(1, 1, 2.5);
  confusion.add(2, 1);
  EXPECT_EQ(confusion.at(0, 1), 1);
  EXPECT_EQ(confusion.at(1, 1), 2.5);
  EXPECT_EQ(confusion.at(1, 0), 0);
  EXPECT_EQ(confusion.of(1).tp, 2.5);
  EXPECT_EQ(confusion.of(1).fp, 2);
  EXPECT_EQ(confusion.of(1).precision(), 2.5 / 4.5);
  EXPECT_EQ(confusion.of(0).recall(), 0.5);
  EXPECT_EQ(confusion.of(2).precision(), 0);
}

TEST(Confusion, NamesTheClassesWithTheMostMistakes) {
  Confusion confusion(5);
  confusion.add(4, 1, 3);
  confusion.add(3, 3, 100);
  confusion.add(2, 1);
  EXPECT_EQ(confusion.most_confused(2), (std::vector<std::size_t>{1, 4}));
  EXPECT_EQ(confusion.most_confused(9), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
}

TEST(Confusion, OfAMillionClassesNeedsMemoryForItsRowsOnly) {
  Confusion confusion(1'000'000);  // a matrix would have 10^12 cells
  for (std::size_t c = 0; c < 1'000'000; c += 1000) confusion.add(c, 7);
  EXPECT_EQ(confusion.of(7).fp, 1000);
}

}  // namespace
}  // namespace thalweg
