// Tensors: numbers that a dtype cannot represent, and invalid arguments of random tensors.

#include "thalweg/tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

void expect_values(const Tensor& got, const std::vector<double>& wanted) {
  ASSERT_EQ(got.size(), static_cast<std::int64_t>(wanted.size()));
  for (std::int64_t i = 0; i < got.size(); ++i) EXPECT_EQ(got.at(i), wanted[static_cast<std::size_t>(i)]) << i;
}

TEST(Tensor, WholeNumbersAreClampedToTheirRange) {
  const Tensor x = Tensor::of({-1.7, 2.7, 300.0, -3e9, 3e9, infinity, -infinity, nan});
  expect_values(x.to(i32), {-1, 2, 300, -2147483648.0, 2147483647, 2147483647, -2147483648.0, 0});
  expect_values(x.to(u8), {0, 2, 255, 0, 255, 255, 0, 0});
  expect_values(x.to(f32).to(i32), {-1, 2, 300, -2147483648.0, 2147483647, 2147483647, -2147483648.0, 0});
  expect_values(Tensor::of<std::int32_t>({-5, 7, 256}).to(u8), {0, 7, 255});
  Tensor one(Shape{1}, u8);
  one.set(0, -3);
  EXPECT_EQ(one.at(0), 0);
  expect_values(full({2}, 1e10, i32), {2147483647, 2147483647});
}

TEST(Tensor, InvalidArgumentsOfRandomNumbersAreRefused) {
  for (const auto& [low, high] : {std::pair{1.0, 0.0}, {nan, 1.0}, {0.0, infinity}})
    EXPECT_THROW((void)random_uniform({3}, low, high, 1), UsageError) << low << ' ' << high;
  for (const auto& [mean, deviation] : {std::pair{0.0, -1.0}, {0.0, nan}, {infinity, 1.0}})
    EXPECT_THROW((void)random_normal({3}, mean, deviation, 1), UsageError) << mean << ' ' << deviation;
  expect_values(random_uniform({2}, 3, 3, 1), {3, 3});
  expect_values(random_normal({2}, 3, 0, 1), {3, 3});
}

}  // namespace
}  // namespace thalweg
