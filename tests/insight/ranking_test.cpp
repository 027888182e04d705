#include "insight/ranking.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace thalweg {
namespace {

using Numbers = std::vector<double>;

// The expected NDCG is that of sklearn.metrics.ndcg_score([values], [scores], k=3).
TEST(Ranking, MatchesScikitLearn) {
  Ranking first(3, 4);
  first.add(Numbers{.9, .8, .1, .7, .6}, Numbers{5, 3, 4, 1, 2});
  EXPECT_NEAR(first.figures().ndcg, 0.8192619084227396, 1e-12);
  EXPECT_NEAR(first.figures().precision, 1.0 / 3, 1e-12);
  EXPECT_NEAR(first.figures().recall, 0.5, 1e-12);
  Ranking second(3, 4);
  second.add(Numbers{.3, .2, .1, .4}, Numbers{1, 4, 4, 2});
  EXPECT_NEAR(second.figures().ndcg, 0.6155107261154193, 1e-12);
  EXPECT_NEAR(second.figures().recall, 0.5, 1e-12);
}

// The expected NDCG is that of sklearn.metrics.ndcg_score([values - lowest], [scores], k=2).
TEST(Ranking, GainsOfNegativeValuesAreRelativeToTheLowest) {
  Ranking shifted(2, 1, -3), usual(2, 4), moved(2, 4, 1);
  shifted.add(Numbers{.9, .8, .1, .7}, Numbers{-3, 1, 2, -1});
  EXPECT_NEAR(shifted.figures().ndcg, 0.3354350434265105, 1e-12);
  usual.add(Numbers{.9, .8, .1, .7}, Numbers{1, 4, 5, 2});
  moved.add(Numbers{.9, .8, .1, .7}, Numbers{1, 4, 5, 2});
  EXPECT_EQ(usual.figures().ndcg, moved.figures().ndcg) << "ratings of 1 and more are not shifted";
  Ranking lower(2, 1, -1);
  lower.add(Numbers{.9, .8, .1}, Numbers{-3, -2, 2});
  EXPECT_EQ(lower.figures().ndcg, 0) << "values below the lowest of the training data have no gain";
}

TEST(Ranking, TheBestOrderHasOneAndTheWorstLess) {
  Ranking best(2, 4), worst(2, 4);
  best.add(Numbers{3, 2, 1, 0}, Numbers{5, 4, 2, 1});
  worst.add(Numbers{0, 1, 2, 3}, Numbers{5, 4, 2, 1});
  EXPECT_EQ(best.figures().precision, 1);
  EXPECT_EQ(best.figures().recall, 1);
  EXPECT_EQ(best.figures().ndcg, 1);
  EXPECT_EQ(worst.figures().precision, 0);
  EXPECT_EQ(worst.figures().recall, 0);
  EXPECT_LT(worst.figures().ndcg, 0.5);
}

TEST(Ranking, IsTheMeanOverListsThatCanBeRanked) {
  Ranking ranking(2, 4);
  ranking.add(Numbers{2, 1, 0}, Numbers{5, 1, 4});  // precision 1 of 2, recall 1 of 2
  ranking.add(Numbers{1}, Numbers{5});              // left out: no unwanted item
  ranking.add(Numbers{1, 2}, Numbers{1, 2});        // left out: no wanted item
  ranking.add(Numbers{1, 0}, Numbers{5, 1});        // no more than k items, so both are shown
  EXPECT_EQ(ranking.figures().lists, 2);
  EXPECT_NEAR(ranking.figures().precision, 0.5, 1e-12);
  EXPECT_NEAR(ranking.figures().recall, (0.5 + 1) / 2, 1e-12);
  EXPECT_EQ(Ranking(3, 4).figures().ndcg, 0);
}

}  // namespace
}  // namespace thalweg
