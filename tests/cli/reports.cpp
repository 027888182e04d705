// The information about a run after its end: baselines, the report, a stopped run, out-of-fold predictions.

#include <filesystem>
#include <map>
#include <sstream>

#include "command.hpp"

namespace thalweg::testing {
namespace {

namespace fs = std::filesystem;

class Reports : public CommandTest {
 protected:
  [[nodiscard]] static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
};

TEST_F(Reports, VersionIsAnOptionToo) {
  const Ran ran = run("--version");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, run("version").out);
}

TEST_F(Reports, EvaluatePrintsTheBaselinesBesideTheMetrics) {
  write_table("t.csv");
  const auto trained = run("train t.csv --target y --epochs 3 --quiet --json").json();
  const auto measured = run("evaluate runs/t --json").json();
  EXPECT_EQ(measured["rmse"], trained["validation"]["rmse"]);
  ASSERT_TRUE(measured.contains("baselines"));
  for (const char* name : {"constant", "linear"}) {
    const double now = measured["baselines"][name]["rmse"], then = trained["baselines"]["validation"][name]["rmse"];
    EXPECT_NEAR(now, then, 1e-9 * then) << name;
  }
  EXPECT_TRUE(has(run("evaluate runs/t --data t.csv").out, "constant: "));
}

TEST_F(Reports, AStoppedRunIsMeasuredAtItsLastCheckpoint) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 20 --stop-after 30 --quiet").code, 0);
  const Ran ran = run("evaluate runs/t");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, "is at step 30 of 80, and these are its best parameters so far")) << ran.out;
  const Ran report = run("report runs/t --json");
  ASSERT_EQ(report.code, 0) << report.err;
  EXPECT_EQ(report.json()["validation"]["rmse"], run("evaluate runs/t --json").json()["rmse"]);
  EXPECT_TRUE(fs::exists(path("runs/t/report.html")));
  EXPECT_FALSE(fs::exists(path("runs/t/model.safetensors")));
  ASSERT_EQ(run("train runs/t --resume --quiet").code, 0) << "it can still be resumed";
}

TEST_F(Reports, AStoppedRunThatDoesNotRestoreItsBestIsMeasuredAsItIs) {
  write_table("t.csv");
  const std::string train =
      "train t.csv --target y --epochs 20 --quiet --set 'train.early_stopping={patience=\"100%\",";
  ASSERT_EQ(run(train + "restore_best=false}' --stop-after 30").code, 0);
  const Ran ran = run("evaluate runs/t");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, "is at step 30 of 80")) << ran.out;
  EXPECT_FALSE(has(ran.out, "best parameters")) << ran.out;
}

TEST_F(Reports, AReportIsWrittenAgainWithTheSameNumbers) {
  write_table("t.csv");
  const auto trained = run("train t.csv --target y --epochs 4 --quiet --json").json();
  fs::remove(path("runs/t/report.html"));
  const auto again = run("report runs/t --json").json();
  EXPECT_EQ(again["validation"], trained["validation"]);
  EXPECT_EQ(again["verdict"]["kind"], trained["verdict"]["kind"]);
  const std::string page = read_text(path("runs/t/report.html"));
  EXPECT_TRUE(has(page, "Importance of the features"));
  EXPECT_TRUE(has(page, "Worst rows"));
  write("t.csv", read_text(path("t.csv")) + "1,1,u,1\n");
  EXPECT_EQ(run("report runs/t").code, 3) << "its data has changed";
}

TEST_F(Reports, CrossValidationWritesTheOutOfFoldPredictionOfEveryRow) {
  write_table("t.csv");
  const auto ran = run("train t.csv --target y --epochs 5 --cv 4 --quiet --json").json();
  const fs::path folder = path("runs/t-cv");
  std::istringstream lines(read_text(folder / "predictions.csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "line,fold,y,predicted");
  std::map<int, int> seen;
  double squares[5] = {};
  int counts[5] = {};
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    int place = 0, fold = 0;
    double truth = 0, predicted = 0;
    char comma = 0;
    cells >> place >> comma >> fold >> comma >> truth >> comma >> predicted;
    ++seen[place];
    squares[fold] += (truth - predicted) * (truth - predicted);
    ++counts[fold];
  }
  EXPECT_EQ(seen.size(), 120U);
  EXPECT_EQ(seen.begin()->first, 2);
  EXPECT_EQ(seen.rbegin()->first, 121);
  double mean = 0;
  for (int fold = 1; fold <= 4; ++fold) mean += std::sqrt(squares[fold] / counts[fold]) / 4;
  EXPECT_NEAR(ran["rmse"]["mean"].get<double>(), mean, 1e-5 * mean);
  EXPECT_TRUE(fs::exists(folder / "folds.json"));
}

TEST_F(Reports, ARunThatIsRefusedLeavesNoFolder) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --out first").code, 0);
  const Ran ran = run("train t.csv --target y --out second --set 'train.early_stopping={metric=\"validation.nope\"}'");
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_FALSE(fs::exists(path("second")));
  EXPECT_EQ(fs::read_symlink(path("latest")), "first");
}

TEST_F(Reports, AClassificationLossIsRefusedForNumbersWithAlternatives) {
  write_table("t.csv");
  const Ran ran = run("train t.csv --target y --loss cross_entropy");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.err, "mse, mae, huber")) << ran.err;
  EXPECT_FALSE(fs::exists(path("runs")));
}

}  // namespace
}  // namespace thalweg::testing
