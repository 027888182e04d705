// BLEU against NLTK, and against values computed by hand.

#include "thalweg/thalweg.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "reference_file.hpp"

namespace thalweg {
namespace {

using Tokens = std::vector<std::int32_t>;

BleuCounts counts_of(const Tokens& written, const Tokens& reference) { return bleu_counts(written, reference); }

TEST(Bleu, MatchesNltk) {
  const nlohmann::json cases = testing::reference("bleu");
  ASSERT_GE(cases.size(), 13U);
  for (const nlohmann::json& one : cases) {
    BleuCounts all;
    for (const nlohmann::json& pair : one.at("pairs")) all += counts_of(pair[0].get<Tokens>(), pair[1].get<Tokens>());
    EXPECT_NEAR(all.bleu(), one.at("bleu").get<double>(), 1e-12) << one.dump();
  }
}

/// Papineni et al. 2002, section 2.1: of seven times "the" only two count, because the reference has it twice.
TEST(Bleu, CountsOfNgramsAreClippedToThoseOfTheReference) {
  const BleuCounts counts = counts_of({1, 1, 1, 1, 1, 1, 1}, {1, 2, 3, 4, 1, 5});
  EXPECT_EQ(counts.matches, (std::array<std::int64_t, 4>{2, 0, 0, 0}));
  EXPECT_EQ(counts.written, (std::array<std::int64_t, 4>{7, 6, 5, 4}));
  EXPECT_EQ(counts.bleu(), 0);
}

TEST(Bleu, OutputsShorterThanTheReferenceArePenalised) {
  const Tokens whole = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(counts_of(whole, whole).bleu(), 1);
  EXPECT_DOUBLE_EQ(counts_of({1, 2, 3, 4, 5}, whole).bleu(), std::exp(1 - 8. / 5));
  EXPECT_EQ(counts_of({}, whole).bleu(), 0);
}

TEST(Bleu, IsUndefinedIfNoOutputIsLongEnough) {
  EXPECT_TRUE(std::isnan(counts_of({1, 2}, {1, 2}).bleu()));
  EXPECT_TRUE(std::isnan(BleuCounts{}.bleu()));
  EXPECT_EQ(counts_of({1, 2}, {2, 1}).bleu(), 0) << "no bigram is in the reference";
  BleuCounts both = counts_of({1, 2}, {1, 2});
  both += counts_of({1, 2, 3, 4}, {1, 2, 3, 4});
  EXPECT_EQ(both.bleu(), 1);
}

}  // namespace
}  // namespace thalweg
