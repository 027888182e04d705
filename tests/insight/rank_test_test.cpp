#include "insight/rank_test.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

// The expected values are those of scipy.stats.mannwhitneyu(a, b, alternative="less").
TEST(RankTest, MatchesSciPy) {
  EXPECT_NEAR(rank_test(std::vector<double>{1, 2, 3, 4.5}, std::vector<double>{3.5, 5, 6, 7, 8}).p,
              0.015873015873015872, 1e-15);
  EXPECT_NEAR(rank_test(std::vector{3., 5., 1., 4.}, std::vector{2., 6., 7.}).p, 0.2, 1e-15);
  const std::vector<double> a = {1, 2, 2, 3, 9, 1, 2, 2, 3, 3}, b = {2, 3, 3, 4, 5, 4, 4, 2};
  EXPECT_NEAR(rank_test(a, b).p, 0.044834050747299174, 1e-12);
  EXPECT_NEAR(rank_test(a, b).superiority, 1 - 21.0 / 80, 1e-15);
}

TEST(RankTest, OfEqualResultsIsOne) {
  EXPECT_EQ(rank_test(std::vector{1., 1., 1.}, std::vector{1., 1., 1.}).p, 1);
  EXPECT_THROW((void)rank_test({}, std::vector{1.}), UsageError);
}

TEST(RankTest, DivergedRunsRankHighest) {
  EXPECT_NEAR(rank_test(std::vector{1., 2., 3.}, std::vector{double{INFINITY}, 4., 5.}).p, 0.05, 1e-15);
}

}  // namespace
}  // namespace thalweg
