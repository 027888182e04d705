// `thalweg fit`, run as a user runs it.

#include <cmath>

#include "command.hpp"

namespace thalweg::testing {
namespace {

class FitCommand : public CommandTest {
 protected:
  /// y = 3 exp(-0.5 x), with a ripple.
  void write_decay(const std::string& name, const std::string& last = "") const {
    std::string text = "x,y,n\n";
    for (int i = 0; i < 20; ++i) {
      const double x = 0.25 * i;
      text += std::to_string(x) + "," + std::to_string(3 * std::exp(-0.5 * x) + 0.01 * (i % 2 ? 1 : -1)) + ",1\n";
    }
    write(name, text + last);
  }

  void expect_error(const std::string& arguments, int code, std::initializer_list<const char*> words) const {
    const Ran ran = run("fit " + arguments);
    EXPECT_EQ(ran.code, code) << arguments << ran.out << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    for (const char* word : words) EXPECT_NE(ran.err.find(word), std::string::npos) << word << " in: " << ran.err;
  }
};

TEST_F(FitCommand, AConstantTargetHasNoRSquared) {
  std::string text = "x,y\n";
  for (int i = 0; i < 50; ++i) text += std::to_string(i) + ",0.1\n";  // a sum of tenths has rounding errors
  write("one.csv", text);
  const Ran ran = run("fit 'y = a * x' one.csv --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.json()["r_squared"].is_null()) << ran.out;
}

TEST_F(FitCommand, PrintsParametersErrorsAndPlots) {
  write_decay("decay.csv");
  const Ran ran = run("fit 'a*exp(-b*x)' decay.csv --svg fit.svg --html fit.html --residuals rows.csv");
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* word : {"standard error", "95 % interval", "18 degrees of freedom", "R^2", "observed - fitted",
                           "ended       the steps are small enough"}) {
    EXPECT_NE(ran.out.find(word), std::string::npos) << word << " in: " << ran.out;
  }
  EXPECT_EQ(read_text(path("fit.svg")).rfind("<svg ", 0), 0u);
  EXPECT_NE(read_text(path("fit.html")).find("residual standard deviation"), std::string::npos);
  const std::string rows = read_text(path("rows.csv"));
  EXPECT_EQ(rows.rfind("observed,fitted,residual\n", 0), 0u);
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 21);
}

TEST_F(FitCommand, ErrorsAreRightRelativeToTheSizeOfTheValues) {
  const auto fitted = [&](const std::string& unit) {
    std::string text = "x,y\n";
    for (int i = 0; i < 20; ++i)
      text += std::to_string(i) + "," + std::to_string(2 + 3 * i + (i * 7 % 5 - 2) * 0.1) + unit + "\n";
    write("line.csv", text);
    const Ran ran = run("fit 'y = a*x + b' line.csv --json");
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  };
  const auto usual = fitted("");
  for (const auto& [unit, size] : {std::pair("e-200", 1e-200), {"e200", 1e200}, {"e-290", 1e-290}}) {
    const auto json = fitted(unit);
    for (int i = 0; i < 2; ++i) {
      const auto &own = json["parameters"][i], &its = usual["parameters"][i];
      for (const char* figure : {"value", "standard_error"})
        EXPECT_NEAR(own[figure].get<double>() / size / its[figure].get<double>(), 1, 1e-9) << unit << figure;
      EXPECT_NEAR(json["correlation"][i].get<double>(), usual["correlation"][i].get<double>(), 1e-9);
    }
    EXPECT_NEAR(json["r_squared"].get<double>(), usual["r_squared"].get<double>(), 1e-12);
    EXPECT_NEAR(json["residual_deviation"].get<double>() / size / usual["residual_deviation"].get<double>(), 1, 1e-9);
  }
  EXPECT_NE(run("fit 'y = a*x + b' line.csv").out.find("(root of the sum of squares)"), std::string::npos);
}

TEST_F(FitCommand, TheConfidenceIsNotRounded) {
  write_decay("decay.csv");
  const Ran ran = run("fit 'a*exp(-b*x)' decay.csv --confidence 0.99999");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("99.999 % interval"), std::string::npos) << ran.out;
}

TEST_F(FitCommand, JsonHasEveryFigure) {
  write_decay("decay.csv", "7,,1\n");
  const auto json = run("fit 'y = a*exp(-b*x)' decay.csv --x0 b=2,a=1 --json").json();
  EXPECT_EQ(json["rows"], 20);
  EXPECT_EQ(json["rows_left_out"], 1);
  EXPECT_EQ(json["parameters"][0]["name"], "a");
  EXPECT_NEAR(json["parameters"][0]["value"].get<double>(), 3, 0.02);
  EXPECT_NEAR(json["parameters"][1]["value"].get<double>(), 0.5, 0.01);
  EXPECT_LT(json["parameters"][1]["interval"][0].get<double>(), 0.5);
  EXPECT_EQ(json["covariance"].size(), 4u);
  EXPECT_EQ(json["criterion_met"], true);
}

TEST_F(FitCommand, ReportsParametersThatTheDataDoNotDetermine) {
  write_decay("decay.csv");
  const Ran ran = run("fit 'a*c*exp(-b*x)' decay.csv");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("undecided   a, c"), std::string::npos) << ran.out;
}

TEST_F(FitCommand, QuietPrintsOnlyTheParameters) {
  write_decay("decay.csv");
  const Ran ran = run("fit 'a*exp(-b*x)' decay.csv -q");
  EXPECT_EQ(ran.out.rfind("parameter ", 0), 0u) << ran.out;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 3) << ran.out;
}

TEST_F(FitCommand, RowsOfWeight0AreNoObservations) {
  const auto json_of = [&](const char* rows) {
    write("t.csv", std::string("x,y,w\n") + rows);
    return run("fit 'a + b*x' t.csv --target y --weight w --json").json();
  };
  const auto with = json_of("1,2,0\n2,3,0\n3,5,1\n4,6,1\n5,7.5,1\n"), without = json_of("3,5,1\n4,6,1\n5,7.5,1\n");
  EXPECT_EQ(with["degrees_of_freedom"], 1);
  EXPECT_NEAR(with["parameters"][1]["standard_error"].get<double>(), 0.144337567, 1e-8);
  EXPECT_EQ(with["parameters"], without["parameters"]);
  (void)json_of("1,2,0\n2,3,0\n3,5,1\n4,6,1\n");
  const Ran exact = run("fit 'a + b*x' t.csv --target y --weight w");
  EXPECT_NE(exact.out.find("b                          1               -    -"), std::string::npos) << exact.out;
  EXPECT_NE(exact.out.find("4, 2 of them of weight 0"), std::string::npos) << exact.out;
  write("t.csv", "x,y,w\n1,2,0\n2,3,0\n");
  expect_error("'a + b*x' t.csv --target y --weight w", 3, {"every weight is 0"});
  write("t.csv", "x,y,w\n1,2,\n2,3,1\n3,5,-1\n");
  expect_error("'a + b*x' t.csv --target y --weight w", 3, {"t.csv:4: the weight -1 in the column w. Wanted: >= 0"});
}

TEST_F(FitCommand, RefusesWhatItCannotFit) {
  write_decay("decay.csv");
  expect_error("'a*exp(-b*z)' decay.csv", 2, {"no name in 'a*exp(-b*z)' is a column", "x, y, n"});
  write("three.csv", "u,v,t\n1,2,3\n");
  expect_error("'a*exp(-b*t)' three.csv", 2, {"it is not clear what is fitted", "--target u"});
  expect_error("'a*exp(-b*x)' decay.csv --target why", 2, {"--target: 'why' is not a column"});
  expect_error("'a*exp(-b*x)' decay.csv --x0 c=1", 2, {"which is no parameter"});
  expect_error("'a*exp(-b*x)' decay.csv --x0 a=1,a=2", 2, {"a is given twice"});
  expect_error("'a*exp(-b*x)' decay.csv --x0 1,2,3", 2, {"3 numbers for 2"});
  expect_error("'a*exp(-b*x)' decay.csv --confidence 0.999999999999999", 2, {"at most 0.999999999"});
  expect_error("'a*(x' decay.csv", 2, {"column"});
  expect_error("'a*log(-x - b)' decay.csv", 5, {"in row 1", "--x0"});
  write_decay("words.csv", "1,two,1\n");
  expect_error("'a*exp(-b*x)' words.csv", 3, {"words.csv:22", "'two'"});
  expect_error("'a*x' nowhere.csv", 2, {"nowhere.csv"});
}

}  // namespace
}  // namespace thalweg::testing
