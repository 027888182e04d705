#include "plot/plot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::ptrdiff_t columns_of(const std::string& line) {
  return std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; });
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

const std::vector<Series> diagonal{{"up", {0, 1, 2}, {0, 5, 10}}};

TEST(Plot, TextDrawsADiagonalFromCornerToCorner) {
  const auto lines = lines_of(line_plot_text({}, diagonal, 23, 12));
  ASSERT_EQ(lines.size(), 12u);
  EXPECT_EQ(lines[0], "10 ┤                 ⡠⠊");
  EXPECT_TRUE(lines[9].starts_with(" 0 ┤⡠⠊")) << lines[9];
  EXPECT_TRUE(lines[10].starts_with("   └┬")) << lines[10];
  EXPECT_EQ(lines[11], "    0        1        2");
}

TEST(Plot, TextDrawsPointsAsCrossesWithNothingBetween) {
  const std::vector<Series> points{{.name = "p", .x = {0, 1, 2}, .y = {0, 5, 10}, .style = Series::Style::points}};
  const auto lines = lines_of(line_plot_text({}, points, 23, 12));
  EXPECT_EQ(lines[4], " 5 ┤         ⢀");
  EXPECT_EQ(lines[5], "   │         ⠙⠁");
  EXPECT_EQ(lines[2], "   │");
}

TEST(Plot, TextStaysWithinItsSize) {
  const std::vector<Series> wild{{"w", {1, 2, 3, 4, 5, 6}, {1e-9, 5e12, -3, NAN, INFINITY, 2}}};
  for (const auto& [width, height] : {std::pair{72, 18}, {40, 8}, {120, 40}}) {
    const auto lines = lines_of(line_plot_text({.title = "t", .x_label = "x", .y_label = "y"}, wild, width, height));
    EXPECT_EQ(lines.size(), static_cast<std::size_t>(height));
    for (const std::string& line : lines) EXPECT_LE(columns_of(line), width) << line;
  }
}

TEST(Plot, NothingToDrawGivesEmptyAxes) {
  const std::vector<Series> hollow{{"h", {1, 2}, {NAN, NAN}}};
  for (const auto& series : {std::vector<Series>{}, hollow}) {
    EXPECT_EQ(line_plot_text({}, series).find("⠁"), std::string::npos);
    EXPECT_EQ(count_of(line_plot_svg({}, series), "stroke-width=\"1.8\""), 0u);
  }
}

TEST(Plot, AValueThatCannotBeDrawnBreaksTheLine) {
  const std::vector<Series> broken{{"b", {0, 1, 2, 3, 4, 5}, {1, 10, -1, 100, NAN, 10}}};
  const std::string svg = line_plot_svg({.log_y = true}, broken);
  EXPECT_EQ(count_of(svg, "stroke-width=\"1.8\""), 1u);
  EXPECT_EQ(count_of(svg, "<circle"), 2u);  // 100 and the last 10 are isolated points
}

TEST(Plot, LogarithmicAxesHaveOneTickPerDecade) {
  const std::vector<Series> sweep{{"s", {1e-5, 1e-3, 1e-1}, {1, 2, 3}}};
  const std::string svg = line_plot_svg({.log_x = true}, sweep);
  for (const char* label : {">1e-5<", ">1e-4<", ">1e-3<", ">0.01<", ">0.1<"}) {
    EXPECT_NE(svg.find(label), std::string::npos) << label;
  }
}

TEST(Plot, SvgIsSelfContainedAndEscapesItsTexts) {
  const std::vector<Series> two{{"a<b", {0, 1}, {1, 2}}, {"c&d", {0, 1}, {2, 1}}};
  const std::string svg = line_plot_svg({.title = "\"x\" > y", .marks = {{0.5, "half & half"}}}, two);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  for (const char* text : {"&quot;x&quot; &gt; y", "a&lt;b", "c&amp;d", "half &amp; half"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(count_of(svg, "http"), 1u);  // only the XML name space
  EXPECT_EQ(svg.find("href"), std::string::npos);
}

TEST(Plot, LongSeriesAreThinnedButKeepTheirPeaks) {
  Series noise{"n", {}, {}};
  for (int i = 0; i < 200'000; ++i) {
    noise.x.push_back(i);
    noise.y.push_back(i == 123'456 ? 10 : std::sin(i));
  }
  const std::vector<Series> series{noise};
  const std::string svg = line_plot_svg({}, series);
  EXPECT_LT(svg.size(), 100'000u);
  EXPECT_EQ(count_of(svg, " 14.0L"), 1u);  // the peak is drawn at y = 14; the top of the frame is 10
}

TEST(Plot, ThinsToMeansWithTheirRange) {
  const std::vector<double> x = {1, 2, 3, 4}, y = {1, 3, 10, 20};
  const Series line = thinned("training", "training", x, y, 2);
  EXPECT_EQ(line.x, (std::vector<double>{1.5, 3.5}));
  EXPECT_EQ(line.y, (std::vector<double>{2, 15}));
  EXPECT_EQ(line.low, (std::vector<double>{1, 10}));
  EXPECT_EQ(line.high, (std::vector<double>{3, 20}));
  EXPECT_TRUE(thinned("training", "training", x, y, 4).low.empty());
}

TEST(Plot, ALogarithmicAxisIsChosenForMoreThanADecade) {
  const auto wanted = [](double low) { return wants_log(std::vector<Series>{{"a", {1, 2}, {1, low}}}); };
  EXPECT_TRUE(wanted(0.05));
  EXPECT_FALSE(wanted(0.5));
  EXPECT_FALSE(wanted(-0.05));
}

TEST(Plot, TheCurveForAPageUsesCssClassesAndHasReadOuts) {
  const std::vector<Series> one{{.name = "loss", .x = {0, 1, 2}, .y = {4, 2, 1}, .role = "validation"}};
  const std::string page = line_plot_html({.title = "l<ss"}, one), file = line_plot_svg({.title = "l<ss"}, one);
  EXPECT_NE(page.find("class=\"line validation\""), std::string::npos);
  EXPECT_NE(page.find(",2,1\""), std::string::npos);  // the last read-out is x = 2, y = 1
  EXPECT_NE(page.find("<b>1</b>"), std::string::npos);
  EXPECT_NE(page.find("l&lt;ss"), std::string::npos);
  EXPECT_EQ(page.find("#"), std::string::npos);  // the colours come from the page's style sheet
  EXPECT_EQ(file.find("class="), std::string::npos);
  for (const PlotRole& role : plot_roles()) {
    EXPECT_EQ(file.find(role.light) != std::string::npos, role.name == "validation") << role.name;
    EXPECT_NE(plot_role_style().find("." + std::string(role.name) + " {"), std::string::npos);
  }
}

TEST(Plot, NothingToDrawGivesNoFigure) {
  EXPECT_EQ(line_plot_html({}, {}), "");
  EXPECT_EQ(line_plot_html({}, std::vector<Series>{{"h", {1, 2}, {NAN, NAN}}}), "");
}

}  // namespace
}  // namespace thalweg
