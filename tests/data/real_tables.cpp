// The tables that scripts/fetch-data downloads, and the committed splits of them.

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "places.hpp"
#include "tables.hpp"

namespace thalweg::data {
namespace {

using test::all_rows;

const std::filesystem::path source = source_folder();

class RealTables : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(source / "data" / "houses.csv")) GTEST_SKIP() << "run scripts/fetch-data first";
  }
  static Inference infer(const Table& table, const TableOptions& options) {
    Inference result = infer_schema(table, options);
    EXPECT_TRUE(result.warnings.empty()) << fmt::format("{}", fmt::join(result.warnings, "; "));
    return result;
  }
};

TEST_F(RealTables, HousesAreARegression) {
  const Table table = read_table(source / "data" / "houses.csv");
  const Inference result = infer(table, {.target = "medv", .drop = {"b"}});
  EXPECT_EQ(table.rows(), 506);
  EXPECT_EQ(result.schema.task, Task::regression);
  const TablePreprocessing p(table, result.schema, result.rows);
  EXPECT_EQ(p.width(), 12);
  EXPECT_NEAR(p.target().shift, 22.5328, 1e-4);
  EXPECT_EQ(std::ranges::count(p.input_names(), "b"), 0);
}

TEST_F(RealTables, DiagnosesAreTwoClassesAndFlowersAndWinesThree) {
  const auto classes = [](const char* file, const char* target) {
    return infer(read_table(source / "data" / file), {.target = target}).schema.classes;
  };
  EXPECT_EQ(classes("breast_cancer.csv", "diagnosis"), (std::vector<std::string>{"benign", "malignant"}));
  EXPECT_EQ(classes("iris.csv", "species"), (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(classes("wine.csv", "cultivar"), (std::vector<std::string>{"class_0", "class_1", "class_2"}));
}

TEST(ReferenceSplits, AreAFifthOfTheRowsEach) {
  std::ifstream file(source / "tests" / "reference" / "splits.json");
  const auto splits = nlohmann::json::parse(file);
  for (const auto& [name, rows, test] : {std::tuple{"houses", 506, 102}, {"breast_cancer", 569, 114}}) {
    ASSERT_EQ(splits.at(name).size(), 20U);
    for (const auto& split : splits.at(name)) {
      const auto held_out = split.get<std::vector<int>>();
      EXPECT_EQ(held_out.size(), static_cast<std::size_t>(test));
      EXPECT_TRUE(std::ranges::is_sorted(held_out));
      EXPECT_GE(held_out.front(), 0);
      EXPECT_LT(held_out.back(), rows);
    }
  }
}

}  // namespace
}  // namespace thalweg::data
