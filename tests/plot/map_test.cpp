#include "plot/map.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace thalweg {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Map, HasADotForEachPointAndANameIfThereIsRoom) {
  const std::vector<double> x = {0, 1, 2, std::nan("")}, y = {0, 3, 1, 0};
  const std::vector<std::string> names = {"a<b", "second", "third", "nowhere"};
  const std::string svg = map_svg({.title = "t", .x_label = "first"}, x, y, names);
  EXPECT_EQ(count(svg, "<circle"), 3u);
  EXPECT_NE(svg.find(">a&lt;b</text>"), std::string::npos);
  EXPECT_NE(svg.find(">third</text>"), std::string::npos);
  EXPECT_EQ(svg.find("nowhere"), std::string::npos);
}

TEST(Map, NamesDoNotOverlapAndEarlierOnesHavePriority) {
  std::vector<double> x(40, 1.0), y(40, 1.0);
  x.push_back(2), y.push_back(2);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < x.size(); ++i) names.push_back("name" + std::to_string(i));
  const std::string svg = map_svg({}, x, y, names);
  EXPECT_NE(svg.find(">name0</text>"), std::string::npos);
  EXPECT_NE(svg.find(">name40</text>"), std::string::npos);
  EXPECT_LE(count(svg, "name"), 5u);  // of the forty equal points, one name on each side
}

TEST(Map, OfNoOrOnePointIsDrawn) {
  EXPECT_TRUE(map_svg({}, {}, {}, {}).starts_with("<svg"));
  const std::vector<double> x = {1}, y = {1};
  const std::vector<std::string> names = {"one"};
  EXPECT_NE(map_svg({}, x, y, names).find(">one</text>"), std::string::npos);
}

}  // namespace
}  // namespace thalweg
