// Verdicts and figures hold row by row: chance in few rows, one wrong cell, weights and correlated columns do not turn
// them into false claims.

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "command.hpp"

namespace thalweg::testing {
namespace {

class ByRows : public CommandTest {
 protected:
  [[nodiscard]] static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
  /// Standard normal numbers, always the same.
  class Normal {
   public:
    explicit Normal(unsigned seed) : state_(seed) {}
    double operator()() {
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += uniform();
      return sum;
    }
    double uniform() { return ((state_ = state_ * 1664525U + 1013904223U) >> 8) / 0x1p24; }

   private:
    unsigned state_;
  };
  /// y = slope x + noise, in each row `more`.
  void write_line(const std::string& name, int rows, unsigned seed, double slope, double noise,
                  const std::string& more = "") const {
    Normal normal(seed);
    std::string text = more.empty() ? "x,y\n" : "x,y,w\n";
    for (int i = 0; i < rows; ++i) {
      const double x = normal();
      text += std::to_string(x) + "," + std::to_string(slope * x + noise * normal()) + more + "\n";
    }
    write(name, text);
  }
  /// Options that keep the run going to its end, and restore its best epoch there or not.
  [[nodiscard]] static std::string stopping(const std::string& restores) {
    return " --set 'train.early_stopping={patience=\"100%\",restore_best=" + restores + "}'";
  }
  [[nodiscard]] double rmse(const std::string& arguments) const { return run(arguments + " --json").json().at("rmse"); }
};

TEST_F(ByRows, WeightsOfOneChangeNoVerdict) {
  write_line("plain.csv", 6000, 7, 0.1, 1);
  write_line("ones.csv", 6000, 7, 0.1, 1, ",1");
  const std::string options = " --target y --validation 0.3 --epochs 6 --model linear --optimizer adam --lr 0.003 -q";
  const std::string plain = run("train plain.csv" + options).out, ones = run("train ones.csv --weight w" + options).out;
  EXPECT_FALSE(has(plain, "Learned nothing")) << plain;
  EXPECT_FALSE(has(ones, "Learned nothing")) << ones;
}

/// A line has two coefficients, so it cannot overfit 90 rows; ten validation rows can rise by chance.
TEST_F(ByRows, ALineDoesNotOverfit) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    write_line("t.csv", 100, seed, 1, 1);
    const std::string out =
        run("train t.csv --target y --model linear --optimizer adam --lr 0.1 --epochs 30 -q --out runs/t").out;
    EXPECT_FALSE(has(out, "Overfits")) << seed << out;
  }
}

/// Forty-two validation rows rise by chance, whichever epoch the run ends with.
TEST_F(ByRows, ARiseIsJudgedByRowsWhicheverEpochIsRestored) {
  write_line("t.csv", 70, 10, 1, 1);
  for (const std::string restores : {"true", "false"}) {
    const Ran ran =
        run("train t.csv --target y --model linear --optimizer adam --lr 0.1 --epochs 30 --validation 0.6 "
            "-q --out " +
            restores + stopping(restores));
    for (const std::string& out : {ran.out, run("report " + restores).out}) {
      EXPECT_TRUE(has(out, "Not judged: the validation loss rose, but on 42 validation rows that may be chance"))
          << restores << out;
      EXPECT_EQ(has(out, "With restore_best = false"), restores == "true") << out;
    }
  }
}

/// A method that evaluates other parameters than those of its last step is judged by these.
TEST_F(ByRows, ARiseIsThatOfTheParametersThatAreEvaluated) {
  Normal normal(1);
  std::string text = "a,b,k\n";
  for (int i = 0; i < 400; ++i) {
    const double a = normal();
    text +=
        std::to_string(a) + "," + std::to_string(normal()) + ((a > 0) == (normal.uniform() < 0.7) ? ",u\n" : ",v\n");
  }
  write("t.csv", text);
  for (const std::string optimizer : {"adam", "schedule_free_adamw"}) {
    for (const std::string restores : {"true", "false"}) {
      const std::string folder = optimizer + "_" + restores;
      const Ran ran = run("train t.csv --target k --epochs 60 --lr 0.03 --validation 0.5 -q --json --optimizer " +
                          optimizer + " --out " + folder + stopping(restores));
      ASSERT_EQ(ran.code, 0) << ran.err;
      const nlohmann::json verdict = ran.json().at("verdict");
      EXPECT_EQ(verdict.at("kind"), "overfitting") << ran.out;
      std::vector<double> losses;
      std::istringstream lines(read_text(path(folder + "/metrics.jsonl")));
      for (std::string line; std::getline(lines, line);) {
        const auto entry = nlohmann::json::parse(line);
        if (entry.contains("metrics")) losses.push_back(entry["metrics"]["validation.loss"]);
      }
      const double rise = losses.back() - *std::ranges::min_element(losses);
      EXPECT_NEAR(verdict.at("evidence").at("rise_of_rows"), rise, 1e-5 * rise) << folder;
    }
  }
}

TEST_F(ByRows, OneWrongCellIsNamed) {
  write_line("t.csv", 200, 1, 3, 0.1);
  Normal normal(2);
  std::string text = "x,y\n";
  for (int i = 0; i < 50; ++i) {
    const double x = normal();
    text += std::to_string(x) + "," + (i == 7 ? "1000" : std::to_string(3 * x)) + "\n";
  }
  write("v.csv", text);
  const std::string out = run("train t.csv --validation v.csv --target y -q").out;
  EXPECT_TRUE(has(out, "Not judged: one of 50 validation rows, line 9, has 100 % of their loss.")) << out;
}

/// The difference of two columns decides: a descent in few steps hardly sees it, a linear fit does.
TEST_F(ByRows, ARunBehindALinearFitHasNotConverged) {
  for (const char* name : {"t.csv", "v.csv"}) {
    Normal normal(name[0]);
    std::string text = "a,b,y\n";
    for (int i = 0; i < 300; ++i) {
      const double common = normal(), own = normal();
      text += std::to_string(common) + "," + std::to_string(common + 0.01 * own) + "," + std::to_string(own) + "\n";
    }
    write(name, text);
  }
  const std::string out =
      run("train t.csv --validation v.csv --target y --model linear --optimizer adamw --epochs 100 --out r -q").out;
  EXPECT_TRUE(has(out, "a linear fit of the same inputs is far better") || has(out, "a linear model learned it"))
      << out;
  ASSERT_EQ(run("train t.csv --validation v.csv --target y --model linear --optimizer lbfgs --set "
                "'train.batch_size=\"all\"' --out exact -q")
                .code,
            0);
  EXPECT_LT(rmse("evaluate exact --data v.csv"), 0.2 * rmse("evaluate r --data v.csv"));
}

TEST_F(ByRows, ScoresOfAClassWithoutRowsAreUndefined) {
  Normal normal(3);
  std::string text = "a,y\n";
  for (int i = 0; i < 120; ++i) {
    const bool hit = i % 37 == 5;
    text += std::to_string(0.1 * normal() + (hit ? 5 : 0)) + (hit ? ",hit\n" : ",miss\n");
  }
  write("t.csv", text);
  const std::string out =
      run("train t.csv --target y --cv 8 --epochs 60 --model linear --optimizer adamw --lr 0.1 -q").out;
  for (const char* metric : {"precision   1 ± 0 over ", "recall      1 ± 0 over ", "f1          1 ± 0 over "})
    EXPECT_TRUE(has(out, metric)) << out;
}

TEST_F(ByRows, CountsAreQuantitiesAndOtherWholeNumbersAreSaidToBeClasses) {
  Normal normal(4);
  std::string counts = "x,y\n", marks = "x,y\n";
  for (int i = 0; i < 300; ++i) {
    const double x = normal();
    const int rare = i == 100 ? 14 : i == 200 ? 17 : static_cast<int>(4 + 2 * x + normal.uniform()) % 9;
    counts += std::to_string(x) + "," + std::to_string(std::abs(rare)) + "\n";
    marks += std::to_string(x) + "," + std::to_string(1 + i % 5) + "\n";
  }
  write("counts.csv", counts);
  write("marks.csv", marks);
  EXPECT_TRUE(has(run("train counts.csv --target y --dry-run").err, "regression of y"));
  const std::string said = run("train marks.csv --target y --dry-run").err;
  EXPECT_TRUE(has(said, "multiclass of y")) << said;
  EXPECT_TRUE(has(said, "the target y holds 5 whole numbers, which are taken for classes. Hint: --task regression"))
      << said;
  EXPECT_FALSE(has(run("train marks.csv --target y --dry-run --task multiclass").err, "taken for classes"));
}

TEST_F(ByRows, FiguresOnTheTrainingRowsAreSaidToBe) {
  write_line("t.csv", 100, 5, 1, 1);
  write_line("other.csv", 100, 6, 1, 1);
  ASSERT_EQ(run("train t.csv --target y --epochs 2 -q --out r").code, 0);
  EXPECT_TRUE(has(run("evaluate r --data t.csv").err, "the run was trained on this file"));
  EXPECT_FALSE(has(run("evaluate r --data other.csv").err, "the run was trained on this file"));
}

}  // namespace
}  // namespace thalweg::testing
