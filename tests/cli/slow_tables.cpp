// The defaults reach the results of scikit-learn's multilayer perceptrons on the same splits
// (tests/reference/tables.py).

#include <algorithm>
#include <filesystem>

#include "command.hpp"
#include "reference_file.hpp"

namespace thalweg::testing {
namespace {

class SlowTables : public CommandTest {
 protected:
  /// Trains on the training rows of each split with the real command and `options` alone. Returns the mean of a metric
  /// on the test rows, which the training does not see.
  [[nodiscard]] double mean_on_splits(const std::string& table, const std::string& options, const char* metric) const {
    std::ifstream file(real_table(table + ".csv"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    const auto splits = reference("splits")[table];
    double total = 0;
    for (std::size_t split = 0; split < splits.size(); ++split) {
      write_parts(lines, splits[split].get<std::vector<std::size_t>>());
      const std::string out = "run" + std::to_string(split);
      const Ran trained = run("train train.csv " + options + " --quiet --out " + out);
      EXPECT_EQ(trained.code, 0) << trained.err;
      total += run("evaluate " + out + " --data test.csv --json").json()[metric].get<double>();
    }
    return total / static_cast<double>(splits.size());
  }

  /// The best mean among the named settings of scikit-learn.
  [[nodiscard]] static std::vector<double> reference_means(const char* name) {
    std::vector<double> means;
    const auto tables = reference("tables");
    for (const auto& [setting, result] : tables[name].items()) means.push_back(result["mean"]);
    return means;
  }

 private:
  void write_parts(const std::vector<std::string>& lines, const std::vector<std::size_t>& test) const {
    std::string train_text = lines[0] + "\n", test_text = train_text;
    for (std::size_t row = 0; row + 1 < lines.size(); ++row) {
      const bool held_out = std::ranges::binary_search(test, row);
      (held_out ? test_text : train_text) += lines[row + 1] + "\n";
    }
    write("train.csv", train_text);
    write("test.csv", test_text);
  }
};

TEST_F(SlowTables, HousePricesAreWithinFivePercentOfTheBestOfScikitLearn) {
  if (!std::filesystem::exists(real_table("houses.csv"))) GTEST_SKIP() << "./dev data fetches it";
  const std::vector<double> theirs = reference_means("houses_rmse");
  const double ours = mean_on_splits("houses", "--target medv --drop b", "rmse");
  RecordProperty("rmse", std::to_string(ours));
  EXPECT_LE(ours, 1.05 * *std::ranges::min_element(theirs));
}

TEST_F(SlowTables, BreastCancerIsWithinHalfAPercentOfTheBestOfScikitLearn) {
  if (!std::filesystem::exists(real_table("breast_cancer.csv"))) GTEST_SKIP() << "./dev data fetches it";
  const std::vector<double> theirs = reference_means("breast_cancer_accuracy");
  const double ours = mean_on_splits("breast_cancer", "--target diagnosis", "accuracy");
  RecordProperty("accuracy", std::to_string(ours));
  EXPECT_GE(ours, *std::ranges::max_element(theirs) - 0.005);
}

}  // namespace
}  // namespace thalweg::testing
