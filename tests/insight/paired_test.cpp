#include "insight/paired.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

// The expected interval is that of scipy.stats.ttest_rel(a, b).confidence_interval().
TEST(PairedDifference, HasStudentsInterval) {
  const std::vector<double> a = {1.2, 1.5, 1.1, 1.9, 1.4}, b = {1.0, 1.6, 0.8, 1.5, 1.2};
  const PairedDifference found = paired_difference(a, b);
  EXPECT_NEAR(found.mean, 0.2, 1e-12);
  EXPECT_NEAR(found.low, -0.0322941, 2e-5);
  EXPECT_NEAR(found.high, 0.4322941, 2e-5);
}

TEST(PairedDifference, OnePairHasNoInterval) {
  const std::vector<double> one = {1}, two = {1, 2};
  EXPECT_THROW((void)paired_difference(one, one), UsageError);
  EXPECT_THROW((void)paired_difference(one, two), UsageError);
}

}  // namespace
}  // namespace thalweg
