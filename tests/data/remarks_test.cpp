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

TEST(Remarks, NumbersWrittenInSeveralWaysAreReported) {
  const auto by_turns = [](const char* one, const char* other) {
    return warnings_of([=](int i) { return fmt::format(fmt::runtime(i % 2 ? one : other), i); });
  };
  EXPECT_TRUE(
      mentions(by_turns("{}%", "{}"),
               "x: 100 of 100 cells hold a number, as '0' in 50, '1%' in 50. Hint: write all numbers alike (12% "
               "is read as 12), and it is a column of numbers."));
  EXPECT_TRUE(
      mentions(by_turns("${}.50", "{}.5"), "as '$1.50' in 50, '0.5' in 50. Hint: write each as a number alone"));
  EXPECT_TRUE(mentions(by_turns("{} kg", "{}"), "as '0' in 50, '1 kg' in 50."));
  EXPECT_TRUE(mentions(by_turns("{} kg", "{} lb"), "Hint: write each as a number alone, in one unit, and it is"));
  EXPECT_TRUE(mentions(by_turns("{},5", "{}.5"), "as '0.5' in 50, '1,5' in 50. Hint: write all numbers alike, and"));
  EXPECT_TRUE(mentions(by_turns("<{}", "{}.5"), "as '0.5' in 50, '<1' in 50."));
  for (const auto& [one, other] : {std::pair("{}e3", "{}"), {"A{}", "B{}"}, {"{0} x {0}", "{}"}, {"10.{}.0.1", "{}"}})
    EXPECT_FALSE(mentions(by_turns(one, other), "hold a number")) << one;
  EXPECT_FALSE(mentions(warnings_of([](int i) { return fmt::format("{}{}", i % 2 + 1, "ab"[i / 50]); }), "hold a"))
      << "few names that begin with a number";
}

TEST(Remarks, ManyNumbersBesideAWordForNoneAreReported) {
  const auto with = [](const char* none) {
    return warnings_of([=](int i) { return i % 3 ? std::string(none) : fmt::format("{}.5", i); });
  };
  for (const char* none : {"n/a", "-", "unknown"}) {
    EXPECT_TRUE(
        mentions(with(none), fmt::format("x: 34 of 100 cells hold a number, as '0.5' in 34, but not '{}'. Hint: "
                                         "leave the other cells blank, and it is a column of numbers.",
                                         none)));
  }
  EXPECT_TRUE(mentions(warnings_of([](int i) { return i % 20 ? fmt::format("${}", i) : "free"; }),
                       "x: 95 of 100 cells hold a number, as '$1' in 95, but not 'free'. Hint: write each as a number "
                       "alone, in one unit, leave the other cells blank, and"));
  EXPECT_FALSE(mentions(warnings_of([](int i) { return i % 3 ? "none" : fmt::format("{}", i % 4); }), "hold a number"))
      << "few numbers may be names";
}

TEST(Remarks, TwoSignsBetweenThousandsAreReported) {
  const auto mixed = [](int i) { return fmt::format(fmt::runtime(i % 2 ? "{} {:03}" : "{},{:03}"), i + 1, i); };
  EXPECT_TRUE(mentions(warnings_of(mixed), "--type=x=thousands_comma, if 1,026 is 1026"));
  EXPECT_FALSE(mentions(warnings_of([](int i) { return fmt::format("{} {:03},5", i + 1, i); }), "three digits"));
}

TEST(Remarks, ARowThatOutweighsAllOthersIsReported) {
  const auto warnings = [](const char* weight) {
    std::string text = "x,w,y\n";
    for (int i = 0; i < 100; ++i) text += fmt::format("{}.5,{},{}.25\n", i * 37 % 100, i == 7 ? weight : "1", i);
    return infer_schema(table_of(text), {.target = "y", .weight = "w"}).warnings;
  };
  EXPECT_TRUE(mentions(warnings("3e38"), "w: the weight 3e38 in line 9 is more than nine tenths of all of them"));
  EXPECT_FALSE(mentions(warnings("800"), "w: the weight"));
}

}  // namespace
}  // namespace thalweg::data
