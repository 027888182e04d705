// thalweg study: the answer follows from the results, and the page contains it.

#include <tuple>

#include "command.hpp"

namespace thalweg::testing {
namespace {

class StudyCommand : public CommandTest {
 protected:
  void write_study(const std::string& arms, const std::string& sides) const {
    write("s.toml",
          "question = \"Which is lower?\"\nclaim = \"a is.\"\nsource = \"nobody\"\nkind = \"walk\"\n"
          "measure = \"value\"\nproblem = \"saddle\"\nx0 = [1.0, 0.0]\nsteps = 200\nlr = 0.05\nrepeats = 7\n" +
              sides + arms);
  }
};

constexpr const char* arms =
    "[[arms]]\nname = \"plain\"\n[[arms]]\nname = \"noise\"\nset = { noise = 0.01 }\n[[arms]]\nname = \"same\"\n";

TEST_F(StudyCommand, ConfirmsATrueClaim) {
  write_study(arms, "lower = \"noise\"\nhigher = \"plain\"\n");
  const Ran ran = run("study s.toml --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  EXPECT_TRUE(json["shows"]);
  EXPECT_EQ(json["arms"]["noise"].size(), 7);
  EXPECT_NE(json["arms"]["noise"][0], json["arms"]["noise"][1]);  // each repetition draws other noise
  const std::string page = read_text(path("s.md"));
  for (const char* part :
       {"# Which is lower?", "**Confirmed: 'noise' ends below 'plain' in 100 %", "| plain |", "s.svg"})
    EXPECT_NE(page.find(part), std::string::npos) << part << " in:\n" << page;
  EXPECT_NE(read_text(path("s.svg")).find("<svg"), std::string::npos);
}

TEST_F(StudyCommand, DoesNotConfirmAClaimAboutEqualArms) {
  write_study(arms, "lower = \"same\"\nhigher = \"plain\"\n");
  EXPECT_FALSE(run("study s.toml --json").json()["shows"]);
  EXPECT_NE(read_text(path("s.md")).find("**Not confirmed: "), std::string::npos);
}

TEST_F(StudyCommand, TrainsEachArmAtItsBestRateAndShowsOtherMeasuresToo) {
  write_table("t.csv");
  write("c.toml", "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntest = \"t.csv\"\ntarget = \"y\"\nvalidation = 0.2\n");
  const std::string study =
      "question = \"Which rate?\"\nclaim = \"b.\"\nsource = \"nobody\"\nkind = \"training\"\nmeasure = \"loss\"\n"
      "lower = \"free\"\nhigher = \"low\"\nrepeats = 5\nconfig = \"c.toml\"\nresult = \"RESULT\"\n"
      "set = { \"train.epochs\" = 30, \"train.threads\" = 1, \"model.kind\" = \"mlp\", \"model.hidden\" = [4], "
      "optimizer = { kind = \"sgd\", lr "
      "= 1e-6 } }\n"
      "[[arms]]\nname = \"low\"\n[[arms]]\nname = \"free\"\ngrid = { \"optimizer.lr\" = [1e-6, 0.03] }\n";
  const auto with = [&](const std::string& result) {
    std::string text = study;
    write("s.toml", text.replace(text.find("RESULT"), 6, result));
    return run("study s.toml --json");
  };
  const Ran ran = with("test_loss");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.json()["shows"]);
  const std::string page = read_text(path("s.md"));
  for (const char* part : {"lr 0.03: the best of 2", " training loss |"})
    EXPECT_NE(page.find(part), std::string::npos) << part << " in:\n" << page;
  ASSERT_EQ(with("largest").code, 0);
  EXPECT_NE(read_text(path("s.md")).find(" largest eigenvalue before |"), std::string::npos);
  EXPECT_EQ(with("depth").code, 2);
  EXPECT_EQ(with("test_error").code, 2);  // a regression has no error rate
}

TEST_F(StudyCommand, MeasuresSpreadDistanceAndVarianceOfTrainings) {
  write_table("t.csv");
  write("c.toml", "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntest = \"t.csv\"\ntarget = \"y\"\nvalidation = 0.2\n");
  const auto with = [&](const std::string& study, const std::string& first, const std::string& second) {
    write("s.toml",
          "question = \"Which?\"\nclaim = \"b.\"\nsource = \"nobody\"\nkind = \"training\"\nmeasure = \"loss\"\n"
          "lower = \"b\"\nhigher = \"a\"\nrepeats = 5\nconfig = \"c.toml\"\n"
          "set = { \"train.epochs\" = 10, \"train.threads\" = 1, \"model.kind\" = \"mlp\", \"model.hidden\" = [4], "
          "optimizer = { kind = \"sgd\", "
          "lr "
          "= 0.03 } }\n" +
              study + "[[arms]]\nname = \"a\"\n" + first + "[[arms]]\nname = \"b\"\n" + second);
    return run("study s.toml --json");
  };
  const auto results = [](const Ran& ran, const char* arm) {
    return ran.json()["arms"][arm].get<std::vector<double>>();
  };

  const Ran swept =
      with("result = \"test_loss\"\nsweep = { \"optimizer.lr\" = [1e-7, 3e-7, 0.03, 1e9] }\n", "", "within = 1e9\n");
  ASSERT_EQ(swept.code, 0) << swept.err;
  for (const double part : results(swept, "a")) EXPECT_EQ(part, 0.75);  // all rates except 0.03 exceed the bound
  for (const double part : results(swept, "b")) EXPECT_EQ(part, 0.25);  // a diverged run exceeds every bound
  EXPECT_NE(read_text(path("s.md")).find(" lowest test loss |"), std::string::npos);

  const Ran distances = with("result = \"test_loss\"\n", "", "as = \"distance\"\n");
  ASSERT_EQ(distances.code, 0) << distances.err;
  std::vector<double> losses = results(distances, "a"), away = results(distances, "b"), wanted;
  std::vector<double> sorted = losses;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < losses.size(); ++i)
    EXPECT_NEAR(away[i], std::abs(losses[i] - sorted[2]) / sorted[2], 1e-9);

  const std::string fitted =
      "set = { model = { kind = \"linear\" }, optimizer = { kind = \"lbfgs\" }, \"train.epochs\" = 50 }\n";
  const Ran variances = with("result = \"variance\"\nresample = true\n", fitted + "train_rows = 3\n", fitted);
  ASSERT_EQ(variances.code, 0) << variances.err;
  EXPECT_LT(std::ranges::max(results(variances, "b")), 1e-6);  // a convex loss on the same rows has one minimum
  EXPECT_GT(std::ranges::min(results(variances, "a")), 1e-3);

  const std::string grid = "grid = { \"optimizer.lr\" = [0.03] }\n";
  const Ran tenth = with("result = \"test_loss\"\n" + grid, "times = { \"optimizer.lr\" = 1e-5 }\n", "");
  ASSERT_EQ(tenth.code, 0) << tenth.err;
  EXPECT_TRUE(tenth.json()["shows"]);
  EXPECT_EQ(with("result = \"test_loss\"\n", "times = { \"optimizer.lr\" = 0.1 }\n", "").code, 2);  // needs a grid
  EXPECT_EQ(with("result = \"test_loss\"\nas = \"square\"\n", "", "").code, 2);
  const Ran timed = with("result = \"test_loss\"\nseconds = 0.02\n", "set = { \"train.epochs\" = 1000000000 }\n",
                         "set = { \"train.epochs\" = 1000000000 }\n");
  EXPECT_EQ(timed.code, 0) << timed.err;
}

TEST_F(StudyCommand, MinimisationsAreMeasuredByTheirDistanceFromAPoint) {
  write_study(arms, "lower = \"noise\"\nhigher = \"plain\"\nto = [3.0, 0.0]\n");
  for (const double distance : run("study s.toml --json").json()["arms"]["plain"].get<std::vector<double>>())
    EXPECT_NEAR(distance, 3, 1e-6);  // plain descent stays at the saddle at 0
  write_study(arms, "lower = \"noise\"\nhigher = \"plain\"\nto = [3.0]\n");
  EXPECT_EQ(run("study s.toml").code, 2);
}

/// The text of a study of a kind with two arms; `both` are the lines that hold for both.
std::string two_arms(const std::string& kind, const std::string& both, const std::string& first,
                     const std::string& second) {
  return "question = \"q\"\nclaim = \"c\"\nsource = \"s\"\nkind = \"" + kind +
         "\"\nmeasure = \"m\"\nlower = \"one\"\nhigher = \"two\"\n" + both + "\n[[arms]]\nname = \"one\"\n" + first +
         "\n[[arms]]\nname = \"two\"\n" + second + "\n";
}

TEST_F(StudyCommand, HalfTheStationaryPointsOfRandomFunctionsOfOneDimensionAreMinima) {
  write("s.toml", two_arms("stationary_points", "repeats = 7\nstarts = 40", "dim = 6", "dim = 1"));
  const Ran ran = run("study s.toml --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  double mean = 0;
  for (const double part : json["arms"]["two"]) mean += part / 7;
  EXPECT_NEAR(mean, 0.5, 0.1);  // in one dimension minima and maxima alternate
  EXPECT_TRUE(json["shows"]) << json;
}

TEST_F(StudyCommand, MeasuresTheCostOfAGradientInEvaluationsOfTheLoss) {
  write("s.toml", two_arms("gradient_cost", "repeats = 5\ninputs = 8", "by = \"reverse\"", "by = \"differences\""));
  const Ran ran = run("study s.toml --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  for (std::size_t i = 0; i < 5; ++i) {
    const int width = 4 << i, parameters = 9 * width + (width + 1) * width + (width + 1) * 10;
    EXPECT_EQ(json["arms"]["two"][i], parameters + 1);
    EXPECT_GT(json["arms"]["one"][i], 1);
    EXPECT_LT(json["arms"]["one"][i], 5);
  }
}

TEST_F(StudyCommand, OnAFiniteSumSagaConvergesWhereStochasticDescentStalls) {
  write_table("t.csv", 60);
  write("c.toml",
        "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\nvalidation = 0.0\n[model]\nkind = "
        "\"linear\"\n");
  const std::string descent = "{ kind = \"sgd\", lr = 0.05, weight_decay = 0.1 }";
  const auto with = [&](const std::string& both, const std::string& first) {
    write("s.toml", two_arms("finite_sum", "repeats = 5\nconfig = \"c.toml\"\nweight_decay = 0.1\n" + both,
                             "optimizer = " + first, "optimizer = " + descent));
    return run("study s.toml --json");
  };
  const Ran ran = with("epochs = 30\nbatch_size = 4", "{ kind = \"saga\", optimizer = " + descent + " }");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  EXPECT_TRUE(json["shows"]);
  EXPECT_LT(json["arms"]["one"][0].get<double>(), 0.1 * json["arms"]["two"][0].get<double>());
  for (const auto& [both, first, part] :
       {std::tuple("epochs = 0", descent, "epochs = 0. Wanted: in [1, "),
        {"epochs = -3", descent, "epochs = -3"},
        {"batch_size = 0", descent, "batch_size = 0"},
        {"batch_size = -8", descent, "batch_size = -8"},
        {"epochs = 2", std::string("{ kind = \"lbfgs\" }"), "lbfgs uses all rows in each step"},
        {"epochs = 2", std::string("3"), "optimizer = 3"}}) {
    const Ran refused = with(both, first);
    EXPECT_EQ(refused.code, 2) << both << refused.err;
    EXPECT_NE(refused.err.find(part), std::string::npos) << refused.err;
  }
}

TEST_F(StudyCommand, RefusesInvalidNumbersBeforeItTrains) {
  const auto refused = [&](const std::string& kind, const std::string& both, const std::string& arm,
                           const std::string& part) {
    write("s.toml", two_arms(kind, both, arm, ""));
    const Ran ran = run("study s.toml");
    EXPECT_EQ(ran.code, 2) << kind << " " << both << arm << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;  // no arm was trained
  };
  refused("stationary_points", "", "dim = 0", "dim = 0. Wanted: in [1, 1000]");
  refused("stationary_points", "dim = -2", "", "dim = -2");
  refused("stationary_points", "starts = 0", "", "starts = 0");
  refused("stationary_points", "starts = 2000", "", "starts = 2000. Wanted: in [1, 1000]");
  refused("gradient_cost", "inputs = 0", "", "inputs = 0");
  refused("gradient_cost", "", "by = \"magic\"", "by = \"magic\". Wanted: one of reverse, differences");
  refused("gradient_cost", "repeats = 60", "", "repeats = 60. Wanted: in [5, 12]");
  refused("walk", "dim = -1", "", "dim = -1");
  refused("walk", "steps = 0", "", "steps = 0");
  refused("walk", "lr = -0.1", "", "lr = -0.1");
  refused("walk", "spread = \"wide\"", "", "spread = \"wide\"");
  refused("walk", "", "set = 3", "set = 3");
  refused("training", "train_rows = -1", "", "train_rows = -1");
  refused("training", "set = [1]", "", "set = [1]");
  refused("training", "", "grid = 3", "grid = 3");
  refused("training", "", "", "config is missing");
  refused("finite_sum", "", "", "config is missing");
}

TEST_F(StudyCommand, RefusesInvalidStudies) {
  write_study(arms, "lower = \"nobody\"\nhigher = \"plain\"\n");
  EXPECT_EQ(run("study s.toml").code, 2);
  write_study("", "lower = \"noise\"\nhigher = \"plain\"\n");
  EXPECT_EQ(run("study s.toml").code, 2);
  EXPECT_EQ(run("study nothing.toml").code, 2);
  for (const char* wrong : {"spred = 0.2\n", "starts = 60\n", "x0 = [1.0, \"left\"]\n"}) {
    const std::string key = std::string(wrong).substr(0, std::string(wrong).find(' '));
    write_study(arms, "lower = \"noise\"\nhigher = \"plain\"\n");
    std::string text = read_text(path("s.toml"));
    if (key == "x0") text.replace(text.find("x0"), text.find('\n', text.find("x0")) - text.find("x0") + 1, "");
    write("s.toml", wrong + text);
    const Ran ran = run("study s.toml");
    EXPECT_EQ(ran.code, 2) << wrong;
    EXPECT_NE(ran.err.find(key), std::string::npos) << ran.err;
  }
  write_study("[[arms]]\nname = \"noise\"\nnoise = 0.01\n[[arms]]\nname = \"plain\"\n",
              "lower = \"noise\"\nhigher = \"plain\"\n");
  EXPECT_EQ(run("study s.toml").code, 2) << "a key of an arm that nothing reads";
}

}  // namespace
}  // namespace thalweg::testing
