// data::csv, which reads a table as a Dataset: its CsvOptions, and a second file that is read in the form of the first.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "data/preprocessing.hpp"
#include "files.hpp"
#include "thalweg/data.hpp"

namespace thalweg {
namespace {

using test::expect_error;
using test::TempFolder;

/// 40 rows of a date, a number with a decimal comma, a category and a target, without a header.
std::string sales() {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("{:02}/{:02}/2021;{},{};{};{}\n", 1 + i % 28, 1 + i % 12, i, i % 10, "abc"[i % 3],
                        i % 4 == 0 ? "yes" : "no");
  }
  return text;
}

const data::CsvOptions sales_options{
    .target = "column 4",
    .types = {{"column 1", "date_dmy"}, {"column 2", "decimal_comma"}},
    .separator = "semicolon",
    .header = false,
};

TEST(CsvDatasets, OfAnotherFileAreReadInTheFormOfTheFirst) {
  const TempFolder folder;
  const auto first = folder.write("first.csv", sales());
  const Dataset like = data::csv(first, sales_options);
  ASSERT_EQ(like.rows(), 40) << "the first row must not be taken as the header";
  EXPECT_TRUE(identical(data::csv(first, like)["input"], like["input"]));
  EXPECT_TRUE(identical(data::csv(first, like)["target"], like["target"]));

  // By itself this file is ambiguous: it has as many commas as semicolons, and 03/04 may be in April or in March.
  const auto second = folder.write("second.csv", "03/04/2021;1,5;a,b,c;no\n02/05/2021;1,5;a;yes\n");
  const Dataset other = data::csv(second, like);
  ASSERT_EQ(other["input"].shape(), (Shape{2, like["input"].shape()[1]}));
  const auto april = folder.write("april.csv", "03/04/2021;1,5;a;no\n");
  EXPECT_EQ(data::csv(april, like)["input"].at(0), other["input"].at(0));
  EXPECT_LT(other["input"].at(0), other["input"].at(like["input"].shape()[1])) << "03/04 must be in April, before May";
}

TEST(CsvDatasets, KeepTheirOptionsInTheJsonOfAModel) {
  const TempFolder folder;
  const auto first = folder.write("first.csv", sales());
  const auto how = data::csv(first, sales_options).preprocessing();
  Dataset like;
  like.set_preprocessing(std::make_shared<const data::Preprocessing>(data::Preprocessing::from_json(how->json())));
  EXPECT_TRUE(identical(data::csv(first, like)["input"], data::csv(first, sales_options)["input"]));
}

TEST(CsvDatasets, PoolLevelsChooseThePositiveClassAndBalance) {
  const TempFolder folder;
  const auto file = folder.write("t.csv", sales());
  data::CsvOptions options = sales_options;
  options.max_levels = 2;
  options.class_weights = "balanced";
  options.positive = "no";
  const Dataset all = data::csv(file, sales_options), pooled = data::csv(file, options);
  EXPECT_EQ(pooled["input"].shape()[1], all["input"].shape()[1]) << "two levels, and one column for the pooled others";
  for (std::int64_t row = 0; row < 40; ++row) {
    EXPECT_EQ(pooled["target"].at(row), 1 - all["target"].at(row)) << "by default the rarer class is the positive one";
    EXPECT_FLOAT_EQ(static_cast<float>(pooled["weight"].at(row)), row % 4 == 0 ? 2.F : 40.F / 60);
  }
  EXPECT_FALSE(data::csv(file, pooled).has("weight")) << "only the rows that the weights were computed for have them";
  options.max_levels = 0;
  expect_error<UsageError>([&] { (void)data::csv(file, options); }, {"max_levels"});
}

}  // namespace
}  // namespace thalweg
