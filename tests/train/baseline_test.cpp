#include "train/baseline.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "moons.hpp"

namespace thalweg {
namespace {

Dataset line_of(std::int64_t rows) {
  const Tensor x = random_normal({rows, 2}, 5);
  Tensor y({rows, 1});
  for (std::int64_t i = 0; i < rows; ++i) y.set(i, 1 + 2 * x.at(2 * i) - x.at(2 * i + 1));
  Dataset data;
  data.set("input", x);
  data.set("target", y);
  return data;
}

TEST(Baseline, TheBestConstantOfValuesIsTheirMean) {
  const Dataset data = line_of(300);
  double mean = 0, variance = 0;
  for (std::int64_t i = 0; i < 300; ++i) mean += data["target"].at(i) / 300;
  for (std::int64_t i = 0; i < 300; ++i) variance += std::pow(data["target"].at(i) - mean, 2) / 300;
  const auto all = baselines_of(loss::mse, 1, data, true, 1);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "constant");
  EXPECT_NEAR(all[0].training_loss, variance, 1e-3 * variance);
  EXPECT_EQ(all[1].name, "linear");
  EXPECT_LT(all[1].training_loss, 1e-3 * variance);  // the target is linear in the input
}

/// Two columns that are nearly the same: the target depends on their difference.
TEST(Baseline, ALinearFitOfCorrelatedColumnsIsTheOptimum) {
  Dataset data = line_of(400);
  Tensor x({400, 2}), y({400, 1});
  for (std::int64_t i = 0; i < 400; ++i) {
    const double common = data["input"].at(2 * i), own = data["input"].at(2 * i + 1);
    x.set(2 * i, common), x.set(2 * i + 1, common + 0.02 * own);
    y.set(i, own);
  }
  data.set("input", x);
  data.set("target", y);
  EXPECT_LT(baselines_of(loss::mse, 1, data, true, 1)[1].training_loss, 1e-4);
}

/// Classes that a line separates: the fit with scikit-learn's ridge, whose weights are finite.
/// From LogisticRegression(): x = -2, -1, 1, 2, y = 0, 0, 1, 1.
TEST(Baseline, ALinearFitOfSeparableClassesIsThatWithARidge) {
  Dataset data;
  data.set("input", Tensor::of<float>({-2, -1, 1, 2}).reshape({4, 1}));
  data.set("target", Tensor::of<float>({0, 0, 1, 1}).reshape({4, 1}));
  const auto all = baselines_of(loss::binary_cross_entropy, 1, data, true, 1);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_NEAR(all[1].trainer->state().parameter("output/weight").at(0), 1.00659, 1e-3);
  EXPECT_NEAR(all[1].trainer->state().parameter("output/bias").at(0), 0, 1e-3);
}

TEST(Baseline, TheBestConstantDependsOnTheLoss) {
  Dataset data = line_of(200);
  Tensor skewed({200, 1});
  for (std::int64_t i = 0; i < 150; ++i) skewed.set(i, 1);
  for (std::int64_t i = 150; i < 200; ++i) skewed.set(i, 9);
  data.set("target", skewed);
  // for the absolute error it is the median, 1
  EXPECT_NEAR(baselines_of(loss::mae, 1, data, false, 1).front().training_loss, 2, 0.02);
}

TEST(Baseline, TheBestConstantOfClassesIsTheirFrequencies) {
  Dataset data = two_moons(200);
  Tensor labels({200}, i32);
  for (std::int64_t i = 0; i < 150; ++i) labels.set(i, 1);
  data.set("target", labels);
  const auto all = baselines_of(loss::cross_entropy, 2, data, false, 1);
  EXPECT_NEAR(all.front().training_loss, -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-3);
  EXPECT_NEAR(all.front().trainer->evaluate(data)["accuracy"], 0.75, 1e-9);
}

}  // namespace
}  // namespace thalweg
