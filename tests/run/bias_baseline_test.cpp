#include <gtest/gtest.h>

#include "run/recommender.hpp"

namespace thalweg {
namespace {

data::Ratings ratings_of(const std::vector<std::int32_t>& numbers, const std::vector<float>& values) {
  return {.features = 2, .numbers = numbers, .ratings = values};
}

// The expected values solve the normal equations in the mean, b_0, b_1, c_0, c_1 with penalties of 2 on b and 1 on c,
// by numpy.linalg.solve.
TEST(BiasBaseline, MinimisesThePenalisedSquares) {
  const data::Ratings train = ratings_of({0, 0, 0, 1, 1, 0, 1, 1, 1, 1}, {5, 3, 4, 1, 2});
  const BiasBaseline biases(train, 2, 2, 2, 1);
  EXPECT_NEAR(biases(0, 0), 4.4594595, 1e-5);
  EXPECT_NEAR(biases(0, 1), 2.7837838, 1e-5);
  EXPECT_NEAR(biases(1, 0), 3.7027027, 1e-5);
  EXPECT_NEAR(biases(-1, -1), 3.2432432, 1e-5);
}

TEST(BiasBaseline, IsTunedOnTheValidationRatings) {
  // users differ much and items do not, so the penalty of users must be small
  std::vector<std::int32_t> numbers, others;
  std::vector<float> values, other_values;
  for (std::int32_t user = 0; user < 30; ++user) {
    for (std::int32_t item = 0; item < 4; ++item) {
      const auto value = static_cast<float>(user % 5 + 1) + ((user * 7 + item * 3) % 4 == 0 ? 0.3F : -0.1F);
      (item == 3 ? others : numbers).insert((item == 3 ? others : numbers).end(), {user, item % 3});
      (item == 3 ? other_values : values).push_back(value);
    }
  }
  const BiasBaseline biases = BiasBaseline::tuned(ratings_of(numbers, values), ratings_of(others, other_values), 30, 3);
  EXPECT_EQ(biases.user_ridge(), 1);
}

}  // namespace
}  // namespace thalweg
