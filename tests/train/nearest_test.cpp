// The nearest neighbour as a baseline for images.

#include "train/nearest.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

Dataset images(const Tensor& pixels, const std::vector<std::int32_t>& labels) {
  Dataset data;
  data.set("input", pixels);
  Tensor target({static_cast<std::int64_t>(labels.size())}, i32);
  for (std::size_t i = 0; i < labels.size(); ++i) target.set(static_cast<std::int64_t>(i), labels[i]);
  data.set("target", target);
  return data;
}

TEST(NearestNeighbour, IsTheRowOfTheSmallestSquaredDistance) {
  const std::int64_t known = 90, asked = 70, size = 12;
  Tensor training({known, 2, 2, 3}, u8), rows({asked, 2, 2, 3}, u8);
  const Tensor numbers = random_uniform({known + asked, size}, 0, 256, 5);
  std::vector<std::int32_t> training_labels, labels;
  for (std::int64_t i = 0; i < training.size(); ++i) training.set(i, std::floor(numbers.at(i)));
  for (std::int64_t i = 0; i < rows.size(); ++i) rows.set(i, std::floor(numbers.at(training.size() + i)));
  for (std::int64_t i = 0; i < known; ++i) training_labels.push_back(static_cast<std::int32_t>(i % 5));
  for (std::int64_t i = 0; i < asked; ++i) labels.push_back(static_cast<std::int32_t>(i % 3));
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < asked; ++i) {
    double least = 1e18;
    std::int64_t nearest = 0;
    for (std::int64_t k = 0; k < known; ++k) {
      double distance = 0;
      for (std::int64_t j = 0; j < size; ++j) {
        const double d = rows.at(i * size + j) - training.at(k * size + j);
        distance += d * d;
      }
      if (distance < least) nearest = k;
      least = std::min(least, distance);
    }
    right += training_labels[static_cast<std::size_t>(nearest)] == labels[static_cast<std::size_t>(i)];
  }
  const auto accuracy = nearest_neighbour_accuracy(images(training, training_labels), images(rows, labels));
  ASSERT_TRUE(accuracy);
  EXPECT_DOUBLE_EQ(*accuracy, static_cast<double>(right) / asked);
}

TEST(NearestNeighbour, IsExactForBytesOfLargeImages) {
  // half of the sum of squares is above 2^28, where f32 cannot represent odd numbers
  const std::int64_t side = 96;
  Tensor training({2, side, side, 1}, u8), rows({1, side, side, 1}, u8);
  for (std::int64_t i = 0; i < training.size(); ++i) training.set(i, 255);
  for (std::int64_t i = 0; i < rows.size(); ++i) rows.set(i, 255);
  training.set(5, 254);  // the first row differs by 1 in one pixel, the second is equal
  EXPECT_EQ(*nearest_neighbour_accuracy(images(training, {0, 1}), images(rows, {1})), 1);
}

TEST(NearestNeighbour, IsLeftOutIfItIsSlowOrTheInputIsNotAnImage) {
  const Dataset table = images(Tensor({4, 3}), {0, 1, 0, 1});
  EXPECT_FALSE(nearest_neighbour_accuracy(table, table));
  const Dataset many = images(Tensor({3000, 64, 64, 1}, u8), std::vector<std::int32_t>(3000));
  EXPECT_FALSE(nearest_neighbour_accuracy(many, many));
}

}  // namespace
}  // namespace thalweg
