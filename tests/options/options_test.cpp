#include "thalweg/options.hpp"

#include <gtest/gtest.h>

#include "options/differences.hpp"
#include "options/error.hpp"
#include "options/nearest_name.hpp"

namespace thalweg {
namespace {

struct Sample {
  double rate = 0.5;
  std::string kind = "round";
  Duration length = "3 epochs";
  std::vector<std::int64_t> sizes = {1};
};
Fields fields(Sample& o) {
  return {{"rate", &o.rate, "", unit_interval},
          {"kind", &o.kind, "", any_number, {"round", "square"}},
          {"length", &o.length, "", positive},
          {"sizes", &o.sizes, "", {.low = 1}}};
}

TEST(Options, AnErrorHasTheKeyThatItIsAbout) {
  const std::vector<std::pair<std::string, OptionValue>> wrong = {
      {"rate", 2.0},    {"rate", "fast"}, {"kind", "rond"},   {"kind", 3},  {"length", "often"}, {"length", 0},
      {"length", true}, {"sizes", 0},     {"sizes", "large"}, {"rat", 0.1}, {"Rate", 0.1},       {"unlike all", 1.0}};
  for (const auto& [key, value] : wrong) {
    Sample sample;
    try {
      read_fields(fields(sample), {{key, value}}, "sample");
      ADD_FAILURE() << key << " = " << value.str();
    } catch (const OptionError& error) {
      EXPECT_EQ(error.key(), key) << error.what();
      EXPECT_EQ(error.kind(), ErrorKind::usage);
    }
  }
}

TEST(Options, GivenValuesAreCheckedBeforeMissingOnes) {
  struct Missing {
    double lr = 0, decay = 0.1;
  } missing;
  const Fields both{{"lr", &missing.lr, "", positive}, {"decay", &missing.decay, "", unit_interval}};
  try {
    read_fields(both, {{"decay", 2.0}}, "sample");
    ADD_FAILURE();
  } catch (const OptionError& error) {
    EXPECT_EQ(error.key(), "decay");
  }
  EXPECT_THROW(read_fields(both, {{"decay", 0.5}}, "sample"), OptionError) << "lr is missing";
}

TEST(Options, AnErrorInsideAnOptionHasTheWholePath) {
  const auto fail_inside = [] { fail_option("units", "[dense] units = 0"); };
  try {
    in_option("layers[2]", [&] { in_option("layers[0]", fail_inside); });
    ADD_FAILURE();
  } catch (const OptionError& error) {
    EXPECT_EQ(error.key(), "layers[2].layers[0].units");
    EXPECT_STREQ(error.what(), "[dense] units = 0");
  }
}

TEST(Options, TheHintForAnUnknownNameIsTheNearestOrAll) {
  EXPECT_EQ(name_hint("adma", {"sgd", "adam"}), "did you mean 'adam'?");
  EXPECT_EQ(name_hint("Y", {"a", "y"}), "did you mean 'y'?");
  EXPECT_EQ(name_hint("momentum", {"sgd", "adam"}), "known are sgd, adam.");
  const std::vector<std::string> many(1000, "another column");
  const std::string hint = name_hint("x", many);
  EXPECT_LT(hint.size(), 1000u);
  EXPECT_NE(hint.find("and 960 more"), std::string::npos) << hint;
}

TEST(Options, ADurationThatOverflowsIsRefusedByName) {
  EXPECT_EQ(Duration("2 epochs").steps(100, 7), 14);
  EXPECT_EQ(Duration("5%").steps(1000, 7), 50);
  for (const char* text : {"1e300 steps", "1e300 epochs", "9e15 epochs", "1e300%"}) {
    try {
      (void)Duration(text).steps(1'000'000, 1000);
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("2^53"), std::string::npos) << error.what();
    }
  }
}

TEST(Options, DifferencesOfConfigurationsAreListedByKey) {
  const FlatOptions before{{"a", "1"}, {"b", "2"}, {"c", "3"}}, after{{"a", "1"}, {"b", "4"}, {"d", "5"}};
  EXPECT_EQ(differences(before, after),
            (std::vector<std::string>{"b: 2 -> 4", "c: 3 -> (not set)", "d: (not set) -> 5"}));
  EXPECT_EQ(options_in(lines_of(before)), before);
  EXPECT_EQ(differences(options_in("free text"), options_in("")), std::vector<std::string>{"free text:  -> (not set)"});
}

}  // namespace
}  // namespace thalweg
