// Metrics of texts and of pairs, against values computed by hand, and the scatter plot of pairs.

#include "system/text_figures.hpp"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "data/pictures.hpp"
#include "system/margins.hpp"
#include "system/scatter.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

/// Rows of these tokens after a prompt of one token.
TextRows texts(const std::vector<std::vector<std::int32_t>>& all) {
  constexpr std::int64_t length = 8;
  const auto rows = std::ssize(all);
  TextRows made{Tensor({rows, length}, i32), full({rows}, 1, i32), Tensor({rows}, i32)};
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto& own = all[static_cast<std::size_t>(row)];
    made.count.set(row, static_cast<double>(own.size() + 1));
    for (std::size_t i = 0; i < own.size(); ++i)
      made.tokens.set(row * length + 1 + static_cast<std::int64_t>(i), own[i]);
  }
  return made;
}

TEST(DistinctRuns, AreCountedOverAllTextsWithoutPrompts) {
  EXPECT_EQ(distinct_runs(texts({{2, 3, 4, 5}})), 1);                          // 234, 345
  EXPECT_EQ(distinct_runs(texts({{2, 2, 2, 2, 2}})), 1. / 3);                  // 222 three times
  EXPECT_EQ(distinct_runs(texts({{2, 3, 4}, {2, 3, 4}, {3, 4, 2}})), 2. / 3);  // 234 twice, 342
  EXPECT_EQ(distinct_runs(texts({{2, 3}, {4}})), 0);                           // no text has three tokens
}

TEST(MarginMetrics, CountPositiveMarginsAndHalfOfTheZeros) {
  const double margins[] = {2, -1, 0, 800};
  const Metrics found = margin_metrics(margins, "ordered right");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], (Metrics::value_type{"ordered right", 2.5 / 4}));
  EXPECT_EQ(found[1].first, "log loss");
  EXPECT_NEAR(found[1].second, (std::log1p(std::exp(-2.)) + std::log1p(std::exp(1.)) + std::log(2.)) / 4, 1e-12);
  const double wrong[] = {-800};
  EXPECT_EQ(margin_metrics(wrong, "told apart")[1].second, 800);
}

class ScatterTest : public testing::TemporaryFolderTest {
 protected:
  [[nodiscard]] Tensor pixels(const Scatter& made) const {
    std::ofstream(path("s.png"), std::ios::binary) << made.picture.bytes;
    return data::read_picture(path("s.png"));
  }
};

TEST_F(ScatterTest, ItsLimitsAreTheIntegersAroundZeroAndAllPoints) {
  const ScatterSeries series[] = {{.points = {{0.2, 1.5}, {2.3, -0.4}, {NAN, 7}, {9, INFINITY}}, .colour = {1, 0, 0}},
                                  {.points = {}, .colour = {0, 1, 0}}};
  const Scatter made = scatter(series);
  EXPECT_EQ(made.left, 0);
  EXPECT_EQ(made.right, 3);
  EXPECT_EQ(made.low, -1);
  EXPECT_EQ(made.high, 2);
  const Scatter none = scatter({});
  EXPECT_EQ(none.right, 1);
  EXPECT_EQ(none.high, 1);
  EXPECT_EQ(pixels(none).shape(), pixels(made).shape());
}

/// The picture has a dot at each point, a cross at their mean, which is the middle, and is white elsewhere.
TEST_F(ScatterTest, HasADotAtEachPointAndACrossAtTheMean) {
  const ScatterSeries series[] = {{.points = {{0.1, 0.1}, {0.9, 0.9}}, .colour = {1, 0, 0}}};
  const Tensor picture = pixels(scatter(series));
  const std::int64_t height = picture.shape()[0], width = picture.shape()[1];
  const auto green = [&](double x, double y) {
    const std::int64_t column = std::llround(x * static_cast<double>(width - 1)),
                       row = std::llround((1 - y) * static_cast<double>(height - 1));
    return picture.at((row * width + column) * 3 + 1);
  };
  EXPECT_EQ(green(0.5, 0.5), 0);
  EXPECT_LT(green(0.1, 0.1), 130);
  EXPECT_LT(green(0.9, 0.9), 130);
  EXPECT_EQ(green(0.1, 0.9), 255);
  EXPECT_EQ(green(0.9, 0.1), 255);
}

}  // namespace
}  // namespace thalweg
