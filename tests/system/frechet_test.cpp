// The Frechet distance between feature distributions against SciPy: tests/reference/frechet.py.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "thalweg/distance.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

/// The same features as in tests/reference/frechet.py.
Tensor features(std::int64_t rows, std::int64_t width, double phase) {
  Tensor result({rows, width}, f64);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      const auto row = static_cast<double>(i), column = static_cast<double>(j);
      result.set(i * width + j, std::sin(0.7 * row * (column + 1) + phase) + 0.3 * std::cos(row + phase * column) +
                                    0.05 * phase * column);
    }
  }
  return result;
}

TEST(FrechetDistance, MatchesSciPy) {
  EXPECT_NEAR(metric::frechet_distance(features(40, 3, 0), features(40, 3, 1)), 0.013740265815326927, 1e-8);
  EXPECT_NEAR(metric::frechet_distance(features(300, 16, 0), features(300, 16, 1)), 3.2592417663732416, 1e-6);
}

TEST(FrechetDistance, IsZeroForEqualFeaturesAndTheSquaredLengthOfAShift) {
  const Tensor few = features(12, 16, 0);  // fewer rows than features, so the covariance is singular
  EXPECT_NEAR(metric::frechet_distance(few, few), 0, 1e-6);
  Tensor moved = few;
  for (std::int64_t i = 0; i < moved.size(); ++i) moved.set(i, few.at(i) + 0.5);
  EXPECT_NEAR(metric::frechet_distance(few, moved), 16 * 0.25, 1e-6);
}

TEST(FrechetDistance, HoldsForFeaturesWhoseSquaresOverflowOrVanish) {
  const Tensor far = Tensor::of({0.0, 1e200, 2.0, 3.0}).reshape({2, 2});
  EXPECT_EQ(metric::frechet_distance(far, far), 0);
  const Tensor a = features(40, 3, 0), b = features(40, 3, 1);
  for (const double unit : {0x1p-400, 0x1p400}) {
    Tensor c = a, d = b;
    for (std::int64_t i = 0; i < c.size(); ++i) {
      c.set(i, a.at(i) * unit);
      d.set(i, b.at(i) * unit);
    }
    EXPECT_DOUBLE_EQ(metric::frechet_distance(c, d) / unit / unit, metric::frechet_distance(a, b)) << unit;
  }
}

TEST(FrechetDistance, RefusesShapesThatDoNotFitAndIsNanForNan) {
  EXPECT_THROW((void)metric::frechet_distance(features(5, 3, 0), features(5, 4, 0)), UsageError);
  EXPECT_THROW((void)metric::frechet_distance(features(1, 3, 0), features(5, 3, 0)), UsageError);
  EXPECT_THROW((void)metric::frechet_distance(Tensor({5, 3}, i32), features(5, 3, 0)), UsageError);
  Tensor broken = features(5, 3, 0);
  broken.set(4, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(std::isnan(metric::frechet_distance(broken, features(5, 3, 0))));
}

}  // namespace
}  // namespace thalweg
