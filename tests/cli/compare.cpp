// `thalweg compare`, run as a user runs it, and its summary of results.

#include "cli/comparison.hpp"

#include <cmath>
#include <filesystem>

#include "command.hpp"

namespace thalweg::testing {
namespace {

using cli::Trial;

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  EXPECT_EQ(cli::quantile({3, 1, 2}, 0.5), 2);
  EXPECT_EQ(cli::quantile({4, 1, 2, 3}, 0.5), 2.5);
  EXPECT_EQ(cli::quantile({4, 1, 2, 3, 5}, 0.25), 2);
  EXPECT_EQ(cli::quantile({7}, 0.75), 7);
  EXPECT_EQ(cli::quantile({1, INFINITY, INFINITY}, 0.75), INFINITY);
  EXPECT_EQ(cli::quantile({1, 2, INFINITY}, 0.25), 1.5);
}

TEST(Comparison, FindsTheBestRateItsWidthAndWhereItDiverges) {
  std::vector<Trial> trials;
  const double medians[] = {9, 1.5, 1, 1.9, 40, INFINITY};
  for (int i = 0; i < 6; ++i) {
    for (int seed = 0; seed < 3; ++seed)
      trials.push_back({"a", std::pow(10, i - 5), seed, medians[i] * (1 + 0.1 * (seed - 1))});
    trials.push_back({"b", std::pow(10, i - 5), 0, i == 3 ? 0.5 : 3});
  }
  const auto results = cli::compare_methods(trials, {.factor = 2});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].method, "b");
  EXPECT_EQ(results[0].width, 0);
  EXPECT_EQ(results[1].best.lr, 1e-3);
  EXPECT_EQ(results[1].best.median, 1);
  EXPECT_NEAR(results[1].best.lower, 0.95, 1e-12);
  EXPECT_NEAR(results[1].best.upper, 1.05, 1e-12);
  EXPECT_NEAR(results[1].width, 2, 1e-12);
  EXPECT_EQ(results[1].stable, 0.1);
  EXPECT_EQ(results[1].rates.back().diverged, 3);
  EXPECT_NEAR(cli::compare_methods(trials, {.factor = 2, .floor = 5})[1].width, 3,
              1e-12);  // losses below the floor count as equal
}

TEST(Comparison, BelowZeroTheWidthIsMeasuredFromTheLossOfTheBestConstant) {
  std::vector<Trial> trials;
  const double medians[] = {0.5, -0.2, -0.6, -0.3, 0.1};
  for (int i = 0; i < 5; ++i) trials.push_back({"a", std::pow(10, i - 5), 0, medians[i]});
  // the best is 0.8 below the constant's 0.2; half of that is at -0.2, a quarter at 0, nine tenths at -0.52
  const auto width = [&](double factor, double nothing) {
    return cli::compare_methods(trials, {.factor = factor, .nothing = nothing}).front().width;
  };
  EXPECT_NEAR(width(2, 0.2), 2, 1e-12);
  EXPECT_NEAR(width(10.0 / 9, 0.2), 0, 1e-12);
  EXPECT_NEAR(width(8, 0.2), 3, 1e-12);
  EXPECT_TRUE(std::isnan(width(2, NAN)));
  EXPECT_TRUE(std::isnan(width(2, -0.7))) << "no rate learned anything";
}

class CompareCommand : public CommandTest {};

TEST_F(CompareCommand, LossesBelowZeroAreMeasuredFromTheConstants) {
  write_table("t.csv");
  const std::string command = "compare t.csv --target y --optimizers adam --rates 0.001,0.01 --seeds 1 --epochs 60";
  const Ran ran = run(command + " --loss gaussian");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("at least 1/2 as far below the best constant's, "), std::string::npos) << ran.out;
  const auto json = run(command + " --loss gaussian --json").json();
  const double best = json["methods"][0]["best"]["median"], constant = json["constant"];
  ASSERT_LT(best, 0);
  EXPECT_GT(constant, 0);
  const auto& rates = json["methods"][0]["rates"];
  const double other = std::max(rates[0]["median"].get<double>(), rates[1]["median"].get<double>());
  EXPECT_EQ(json["methods"][0]["width_decades"] == 1.0, other <= (constant + best) / 2) << json;
  EXPECT_FALSE(run(command + " --json").json().contains("constant"));
}

TEST_F(CompareCommand, AProblemGivesATableSortedByResult) {
  const Ran ran = run("compare rosenbrock --optimizers sgd,adam --steps 300 --seeds 3");
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* word : {"best lr", "quartiles", "width", "300 steps each"}) {
    EXPECT_NE(ran.out.find(word), std::string::npos) << word << " in: " << ran.out;
  }
  EXPECT_LT(ran.out.find("\nadam "), ran.out.find("\nsgd "));
}

TEST_F(CompareCommand, JsonAndCsvAreTheSameRuns) {
  const std::string command = "compare 'x^2 + 10*y^2' --optimizers sgd,adam --rates 0.01,0.1,10 --seeds 3 --steps 50";
  const Ran json_run = run(command + " --json --svg p.svg");
  ASSERT_EQ(json_run.code, 0) << json_run.err;
  const auto json = json_run.json();
  EXPECT_EQ(json["seeds"], 3);
  EXPECT_EQ(json["rates"].size(), 3u);
  ASSERT_EQ(json["methods"].size(), 2u);
  for (const auto& method : json["methods"]) {
    EXPECT_EQ(method["rates"].size(), 3u);
    EXPECT_LE(method["best"]["lower_quartile"], method["best"]["median"]);
    EXPECT_GE(method["width_decades"], 0);
    for (const auto& rate : method["rates"])
      EXPECT_TRUE(rate["median"].is_null() || rate["median"] >= method["best"]["median"]);
  }
  const Ran csv = run(command + " --csv");
  EXPECT_EQ(csv.out.rfind("method,lr,seed,result\n", 0), 0u);
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 1 + 2 * 3 * 3);
  const std::string svg = read_text(path("p.svg"));
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("fill-opacity"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST_F(CompareCommand, SeedsPerturbTheStartAndTheFirstDoesNot) {
  const std::string tiny = "compare sphere --optimizers sgd --rates 1e-12 --steps 1 --csv --seeds 2 --x0 2,2";
  const std::string spread = run(tiny).out, none = run(tiny + " --spread 0").out;
  EXPECT_NE(spread.find("sgd,1e-12,0,7.99999"), std::string::npos) << spread;
  EXPECT_EQ(spread.find("sgd,1e-12,1,7.99999"), std::string::npos) << spread;
  EXPECT_NE(none.find("sgd,1e-12,1,7.99999"), std::string::npos) << none;
}

TEST_F(CompareCommand, AProblemTakesASchedule) {
  const std::string command = "compare sphere --optimizers sgd --rates 0.01 --seeds 1 --steps 50 --csv";
  EXPECT_NE(run(command).out, run(command + " --schedule cosine").out);
  EXPECT_EQ(run(command + " --schedule cosine --set schedule.end=1").out, run(command).out);
}

TEST_F(CompareCommand, EveryMethodTakesPart) {
  const Ran ran = run("compare himmelblau --optimizers all --rates 0.001,0.01 --seeds 1 --steps 20 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_GT(ran.json()["methods"].size(), 25u);
}

TEST_F(CompareCommand, TrainingOnATableLeavesNoFolder) {
  write_table("t.csv");
  const std::string command =
      "compare t.csv --target y --optimizers sgd,adam,lookahead --rates 0.001,0.01 --seeds 2 --epochs 3";
  const Ran ran = run(command + " --json -q");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_FALSE(std::filesystem::exists(path("runs")));
  ASSERT_EQ(ran.json()["methods"].size(), 3u);
  EXPECT_EQ(ran.json()["measure"], "validation loss at the end");
  EXPECT_EQ(run(command + " --json -q").out, ran.out);
  write("t.toml", "seed = 1\n[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[optimizer]\nkind = \"adamw\"\nbeta1 = 0.8\n");
  EXPECT_EQ(run("compare t.toml --optimizers sgd,adamw --rates 0.01 --seeds 1 --epochs 2 -q").code, 0);
}

TEST_F(CompareCommand, DivergedRunsAreCountedAndAllOfThemAreFive) {
  const Ran some = run("compare 'x^2' --optimizers sgd --rates 0.1,5 --seeds 2 --steps 1000 --json");
  EXPECT_EQ(some.code, 0);
  EXPECT_EQ(some.json()["methods"][0]["rates"][1]["diverged"], 2);
  EXPECT_EQ(some.json()["methods"][0]["stable_to"], 0.1);
  const Ran all = run("compare 'x^2' --optimizers sgd --rates 5,50 --seeds 2 --steps 1000");
  EXPECT_EQ(all.code, 5);
  EXPECT_NE(all.err.find("every method diverged"), std::string::npos) << all.err;
}

TEST_F(CompareCommand, ErrorsNameTheMistake) {
  const auto expect_error = [&](const std::string& arguments, std::initializer_list<const char*> words) {
    const Ran ran = run("compare " + arguments);
    EXPECT_EQ(ran.code, 2) << arguments << ran.err;
    for (const char* word : words) EXPECT_NE(ran.err.find(word), std::string::npos) << word << " in: " << ran.err;
  };
  write_table("t.csv");
  expect_error("rosenbrok", {"did you mean 'rosenbrock'"});
  expect_error("sphere --optimizers adamm", {"did you mean 'adam"});
  expect_error("sphere --rates 0.1,-1", {"rate = -1"});
  expect_error("sphere --rates 0.1,b", {"'b' is not a number"});
  expect_error("sphere --seeds 0", {"--seeds"});
  expect_error("sphere --epochs 3", {"train.epochs is set for a problem"});
  expect_error("t.csv --target y --lr 0.1", {"optimizer.lr cannot be set, because it is compared", "--rates"});
  expect_error("nothing.csv --target y", {"nothing.csv"});
}

TEST_F(CompareCommand, OnAQuadraticRatesAreStableUpToTwoOverItsCurvature) {
  // the second derivative of x^2 is 2; after 50 steps at rate 1.1 the value is finite, but 8,000 times as large
  const Ran ran = run("compare 'x^2' --optimizers sgd --rates 0.5,0.9,0.99,1.01,1.1 --seeds 3 --steps 50 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["methods"][0]["stable_to"], 0.99);
}

}  // namespace
}  // namespace thalweg::testing
