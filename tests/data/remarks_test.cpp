// Columns that a person would read otherwise than Thalweg does are said, in one line.

#include <functional>

#include "data/schema.hpp"
#include "tables.hpp"

namespace thalweg::data {
namespace {

using test::mentions;
using test::table_of;

/// The warnings about 100 rows with a feature x, whose cells are `cell(row)`, and another one.
std::vector<std::string> warnings_of(const std::function<std::string(int)>& cell) {
  std::string text = "x,n,y\n";
  for (int i = 0; i < 100; ++i) text += fmt::format("\"{}\",{}.5,{}\n", cell(i), i * 37 % 100, i % 2);
  return infer_schema(table_of(text), {.target = "y"}).warnings;
}

bool look_like_dates(const std::function<std::string(int)>& cell) {
  return mentions(warnings_of(cell), "look like dates or times");
}

TEST(Remarks, DatesThatAreNotReadAreReported) {
  const auto mixed = [](int i) {
    return i % 2 ? fmt::format("2020-{:02}-{:02}", i % 12 + 1, i % 28 + 1) : fmt::format("{}/{}/2021", i % 12 + 1, i);
  };
  EXPECT_TRUE(mentions(warnings_of([&](int i) { return mixed(i % 24 + 4); }),
                       "x: 100 of 100 cells look like dates or times, as '1/12/2021' and '2020-02-14', but are not all "
                       "in one form that is read."));
  EXPECT_TRUE(look_like_dates([](int i) { return fmt::format("2020/{}/{}", i % 12 + 13, i % 12 + 1); }));
  EXPECT_TRUE(look_like_dates([](int i) { return fmt::format("{}:{:02}", i % 24, i % 60); }));
  EXPECT_TRUE(look_like_dates([](int i) { return fmt::format("20{:02}-{:02}", i % 30, i % 12 + 1); }));
  EXPECT_TRUE(look_like_dates([](int i) { return i % 3 ? fmt::format("1.2.20{:02}", i % 30) : "open"; }));
  EXPECT_FALSE(look_like_dates([](int i) { return i % 3 ? "open" : fmt::format("1.2.20{:02}", i % 30); }));
  EXPECT_FALSE(look_like_dates([](int i) { return fmt::format("10.0.{}.{}", i % 7, i); }));
  EXPECT_FALSE(look_like_dates([](int i) { return i % 2 ? "May" : "June"; }));
}

}  // namespace
}  // namespace thalweg::data
