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

/// Weights of one change nothing, a row of weight 2 counts as much as two in the mean, and rows of little weight widen
/// the interval.
TEST(PairedDifference, WeighsPairs) {
  const std::vector<double> a = {1.2, 1.5, 1.1, 1.9, 1.4}, b = {1.0, 1.6, 0.8, 1.5, 1.2}, ones(5, 0.3);
  const PairedDifference plain = paired_difference(a, b), same = paired_difference(a, b, ones);
  EXPECT_NEAR(same.mean, plain.mean, 1e-15);
  EXPECT_NEAR(same.low, plain.low, 1e-12);
  EXPECT_NEAR(same.high, plain.high, 1e-12);
  const std::vector<double> weights = {2, 1, 1, 1, 1}, uneven = {100, 1, 1, 1, 1};
  EXPECT_NEAR(paired_difference(a, b, weights).mean, (2 * 0.2 - 0.1 + 0.3 + 0.4 + 0.2) / 6, 1e-12);
  EXPECT_NEAR(effective_count(weights), 36.0 / 8, 1e-12);
  EXPECT_NEAR(effective_count(uneven), 104.0 * 104 / 10004, 1e-9);
}

TEST(PairedDifference, OnePairHasNoInterval) {
  const std::vector<double> one = {1}, two = {1, 2};
  EXPECT_THROW((void)paired_difference(one, one), UsageError);
  EXPECT_THROW((void)paired_difference(one, two), UsageError);
}

}  // namespace
}  // namespace thalweg
