#include "insight/principal.hpp"

#include <gtest/gtest.h>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

TEST(PrincipalComponents, AreTheDirectionsOfTheLargestVariance) {
  // (10, -7) plus multiples of (3, 4) / 5 by -2, -1, 0, 1, 2 and of (-4, 3) / 5 by 0.5, -0.5, 0, -0.5, 0.5
  const Tensor rows =
      Tensor::of({10 - 1.6, -7 - 1.3, 10 - 0.2, -7 - 1.1, 10.0, -7.0, 10 + 1.0, -7 + 0.5, 10 + 0.8, -7 + 1.9})
          .reshape({5, 2});
  const Components found = principal_components(rows, 2);
  const std::vector<double> first = {-2, -1, 0, 1, 2}, second = {0.5, -0.5, 0, -0.5, 0.5};
  for (std::int64_t row = 0; row < 5; ++row) {
    EXPECT_NEAR(found.places.at(2 * row), first[static_cast<std::size_t>(row)], 1e-12);
    EXPECT_NEAR(found.places.at(2 * row + 1), -second[static_cast<std::size_t>(row)],
                1e-12);  // the sign is such that the largest element, 4 / 5, is positive
  }
  EXPECT_NEAR(found.parts[0], 10.0 / 11, 1e-12);
  EXPECT_NEAR(found.parts[1], 1.0 / 11, 1e-12);
}

TEST(PrincipalComponents, MoreThanColumnsAreRefused) {
  EXPECT_THROW((void)principal_components(Tensor({3, 2}), 3), UsageError);
  EXPECT_THROW((void)principal_components(Tensor({3}), 1), UsageError);
}

}  // namespace
}  // namespace thalweg
