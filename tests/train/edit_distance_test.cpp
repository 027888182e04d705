// Edit distances against values computed by hand and against an exhaustive search.

#include "thalweg/edit_distance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace thalweg {
namespace {

TEST(EditDistance, CountsSubstitutionsInsertionsAndDeletions) {
  EXPECT_EQ(character_edits("sitting", "kitten"), (Edits{2, 1, 0, 6}));
  EXPECT_EQ(character_edits("kitten", "kitten"), (Edits{0, 0, 0, 6}));
  EXPECT_EQ(character_edits("", "abc"), (Edits{0, 0, 3, 3}));
  EXPECT_EQ(character_edits("abc", ""), (Edits{0, 3, 0, 0}));
  EXPECT_EQ(character_edits("flaw", "lawn"), (Edits{0, 1, 1, 4}));
}

TEST(EditDistance, CharactersAreCodePoints) {
  EXPECT_EQ(character_edits("n\u00e4he", "nahe"), (Edits{1, 0, 0, 4}));
  EXPECT_EQ(character_edits("\xff", "\xfe"), (Edits{1, 0, 0, 1}));  // if the text is not UTF-8, bytes are compared
}

TEST(EditDistance, WordsAreSeparatedByWhiteSpace) {
  EXPECT_EQ(word_edits("  one too\tthree\n", "one two three four"), (Edits{1, 0, 1, 4}));
  EXPECT_EQ(word_edits("", " \n"), (Edits{0, 0, 0, 0}));
}

TEST(EditDistance, TheErrorRateOfManyTextsIsOverAllTheirSymbols) {
  Edits all = character_edits("ab", "ab");
  all += character_edits("xxxxxxxx", "yyyyyyyy");
  EXPECT_DOUBLE_EQ(all.rate(), 0.8);
  EXPECT_TRUE(std::isnan(Edits{}.rate()));
}

/// The distance by exhaustive search.
std::int64_t distance_of(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  if (a.empty() || b.empty()) return static_cast<std::int64_t>(std::max(a.size(), b.size()));
  return std::min({distance_of(a.subspan(1), b.subspan(1)) + (a[0] == b[0] ? 0 : 1), distance_of(a.subspan(1), b) + 1,
                   distance_of(a, b.subspan(1)) + 1});
}

TEST(EditDistance, IsTheMinimumOfAnExhaustiveSearch) {
  for (std::uint32_t seed = 1; seed < 60; ++seed) {
    std::uint32_t draw = seed * 2654435761U;
    const auto next = [&] { return (draw = draw * 1664525U + 1013904223U) >> 24; };
    std::vector<std::int32_t> a(next() % 7), b(next() % 7);
    for (auto* each : {&a, &b}) {
      for (std::int32_t& symbol : *each) symbol = static_cast<std::int32_t>(next() % 3);
    }
    const Edits found = edits(a, b);
    EXPECT_EQ(found.errors(), distance_of(a, b)) << seed;
    EXPECT_EQ(found.reference, std::ssize(b));
    EXPECT_EQ(found.insertions - found.deletions, std::ssize(a) - std::ssize(b));
  }
}

}  // namespace
}  // namespace thalweg
