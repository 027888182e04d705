// Level lines of a function over a plane, and the picture of them.

#include "plot/contour.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace thalweg {
namespace {

ContourField field_of(const std::function<double(double, double)>& f, int columns = 41, int rows = 31) {
  ContourField field{-2, 2, -1.5, 1.5, columns, rows, {}};
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) field.values.push_back(f(field.x(c), field.y(r)));
  }
  return field;
}

bool closed(const std::vector<ContourPoint>& line) {
  return line.front().x == line.back().x && line.front().y == line.back().y;
}

TEST(Contour, TheLevelOfABowlIsACircle) {
  const auto lines = contour_lines(field_of([](double x, double y) { return x * x + y * y; }), 1);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(closed(lines[0]));
  EXPECT_GT(lines[0].size(), 50u);
  for (const ContourPoint& p : lines[0]) EXPECT_NEAR(std::hypot(p.x, p.y), 1, 0.01);
}

TEST(Contour, LinesThatLeaveThePlaneAreOpenAndUnbroken) {
  const auto lines = contour_lines(field_of([](double x, double) { return x; }), 0.03);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].size(), 31u);
  EXPECT_NEAR(std::abs(lines[0].front().y - lines[0].back().y), 3, 1e-12);
  for (const ContourPoint& p : lines[0]) EXPECT_NEAR(p.x, 0.03, 1e-12);
}

TEST(Contour, ASaddleHasTwoBranchesThatDoNotCross) {
  for (const double level : {0.01, -0.01}) {
    const auto lines = contour_lines(field_of([](double x, double y) { return x * y; }, 40, 30), level);
    ASSERT_EQ(lines.size(), 2u) << level;
    for (const auto& line : lines) {
      for (const ContourPoint& p : line) EXPECT_EQ(p.x * p.y > 0, level > 0) << p.x << " " << p.y;
    }
  }
}

TEST(Contour, CellsThatAreNotFiniteHaveNoLines) {
  const auto lines = contour_lines(field_of([](double x, double y) { return x > 0 ? NAN : x * x + y * y; }), 1);
  ASSERT_EQ(lines.size(), 1u);
  for (const ContourPoint& p : lines[0]) EXPECT_LE(p.x, 0);
  EXPECT_TRUE(contour_levels(field_of([](double, double) { return INFINITY; }), 5).empty());
  EXPECT_TRUE(contour_levels(field_of([](double, double) { return 3.0; }), 5).empty());
}

TEST(Contour, LevelsAreIncreasingAndInTheRange) {
  const auto levels = contour_levels(field_of([](double x, double y) { return x * x + 100 * y * y; }), 12);
  EXPECT_EQ(levels.size(), 12u);
  EXPECT_TRUE(std::ranges::is_sorted(levels));
  EXPECT_GT(levels.front(), 0);
  EXPECT_LT(levels.back(), 4 + 225);
}

TEST(Contour, ThePictureHasAllItsParts) {
  const ContourPlot plot{.options = {.title = "a < b", .x_label = "x", .y_label = "y"},
                         .field = field_of([](double x, double y) { return x * x + y * y; }),
                         .path = {{1, 1}, {0.5, 0.5}, {1e300, 0}, {0, 0}},
                         .minimizers = {{0, 0}}};
  const std::string svg = contour_plot_svg(plot);
  EXPECT_TRUE(svg.starts_with("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  for (const char* word : {"a &lt; b", ">start<", ">end<", ">known minimum<", ">x<", ">y<"}) {
    EXPECT_NE(svg.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf,"), std::string::npos);
}

/// A plane around the end of a run does not show the start.
TEST(Contour, APathOfOnePointIsAnEnd) {
  const std::string svg = contour_plot_svg(
      {.options = {}, .field = field_of([](double x, double y) { return x * x + y * y; }), .path = {{0, 0}}});
  EXPECT_NE(svg.find(">end<"), std::string::npos);
  EXPECT_EQ(svg.find(">start<"), std::string::npos);
}

}  // namespace
}  // namespace thalweg
