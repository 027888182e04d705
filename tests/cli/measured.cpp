// The command's statements about measurements are true: measured rows, their weights, and the data that was read.

#include <fmt/format.h>
#include <cmath>
#include <cstdio>

#include <functional>
#include <map>
#include <sstream>

#include "command.hpp"
#include "thalweg/model.hpp"

namespace thalweg::testing {
namespace {

class MeasuredRows : public CommandTest {
 protected:
  [[nodiscard]] static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
  static void expect_refused(const Ran& ran, int code, std::string_view part) {
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_TRUE(has(ran.err, part)) << ran.err;
  }
  /// Writes classes u, v, w that follow from x, 40 rows of each.
  void write_classes(const std::string& name) const {
    std::string text = "x,k\n";
    for (int i = 0; i < 120; ++i)
      text += std::to_string(i % 3 * 10 + i % 7) + ".5," + std::string(1, "uvw"[i % 3]) + "\n";
    write(name, text);
  }
  [[nodiscard]] std::string notes_of(const std::string& table, const std::string& options = "") const {
    return run("train " + table + " --target y --dry-run " + options).err;
  }
};

TEST_F(MeasuredRows, IgnoredLabelsAreNotCounted) {
  write_classes("t.csv");
  const std::string ignores = "train t.csv --target k --validation t.csv --epochs 2 --set 'loss.ignored_labels=[1]'";
  const Ran ran = run(ignores);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, "(80 rows)")) << ran.out;
  const std::size_t row = ran.out.find("\n            v "), end = ran.out.find('\n', row + 1);
  ASSERT_NE(row, std::string::npos) << ran.out;
  const std::string cells = ran.out.substr(row, end - row);  // no measured row has the class v
  EXPECT_EQ(cells.find_first_of("123456789"), std::string::npos) << cells;
  const Ran again = run("evaluate runs/t --data t.csv");
  EXPECT_TRUE(has(again.out, "(80 rows)")) << again.out;
  EXPECT_TRUE(has(again.out, cells)) << again.out;
}

TEST_F(MeasuredRows, WeightsOfRowsAreMentioned) {
  std::string weighted = "x,w,y\n", plain = "x,y\n";
  for (int i = 0; i < 60; ++i) {
    const std::string x = std::to_string(i * 37 % 60) + ".5", y = std::to_string(i * 37 % 60 * 2 + i % 7) + ".25";
    weighted += x + "," + std::to_string(1 + i % 3) + "," + y + "\n";
    plain += x + "," + y + "\n";
  }
  write("w.csv", weighted);
  write("p.csv", plain);
  const Ran trained = run("train w.csv --target y --weight w --epochs 1");
  EXPECT_TRUE(has(trained.out, "rows, weighted by w; the loss is")) << trained.out;
  const Ran with = run("evaluate runs/w --data w.csv"), without = run("evaluate runs/w --data p.csv");
  EXPECT_TRUE(has(with.out, "(60 rows, weighted by w; ")) << with.out;
  EXPECT_TRUE(has(without.out, "(60 rows; ")) << without.out;
  EXPECT_TRUE(
      has(without.err, "p.csv has no column 'w', the weights of the rows in training: here each row counts as 1"))
      << without.err;
  EXPECT_FALSE(has(with.err, "weighed")) << with.err;
  EXPECT_TRUE(run("evaluate runs/w --data w.csv --json").json().at("weighted"));
  EXPECT_FALSE(run("evaluate runs/w --data p.csv --json").json().contains("weighted"));
}

TEST_F(MeasuredRows, OnlyTheRatiosOfWeightsCount) {
  const auto loss_with = [&](const std::string& weight) {
    std::string text = "x,w,y\n";
    for (int i = 0; i < 60; ++i)
      text += std::to_string(i * 37 % 60) + ".5," + weight + "," + std::to_string(i * 37 % 60 * 2 + i % 7) + ".25\n";
    write("w.csv", text);
    const Ran ran = run("train w.csv --target y --weight w --epochs 5 --lr 0.01 --quiet --json --out runs/" + weight);
    EXPECT_EQ(ran.code, 0) << weight << ": " << ran.err;
    const auto result = ran.json();
    EXPECT_EQ(result["validation"]["rmse"], run("evaluate runs/" + weight + " --json").json()["rmse"]) << weight;
    EXPECT_GT(result["baselines"]["validation"]["linear"]["rmse"], 0.5) << weight;
    EXPECT_LT(result["baselines"]["validation"]["linear"]["rmse"], 5) << weight;
    return result["validation"]["loss"].get<double>();
  };
  const double loss = loss_with("1");
  for (const char* weight : {"1e-300", "1e-38", "1e-37", "1e36", "1e37", "3e38"})
    EXPECT_NEAR(loss_with(weight), loss, 1e-3 * loss) << weight;
}

TEST_F(MeasuredRows, TrueValuesArePrintedAsInTheFile) {
  std::string text = "x,y\n";
  std::map<int, std::string> values;
  for (int i = 0; i < 40; ++i) {
    values[i + 2] = fmt::format("{}", std::exp(9 * std::sin(i)));
    text += fmt::format("{},{}\n", std::sin(i), values[i + 2]);
  }
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target y --cv 3 --epochs 2 --quiet").code, 0);
  std::istringstream lines(read_text(path("runs/t-cv/predictions.csv")));
  std::string line, place, fold, truth;
  std::getline(lines, line);
  int rows = 0;
  for (; std::getline(lines, line); ++rows) {
    std::istringstream cells(line);
    std::getline(cells, place, ',');
    std::getline(cells, fold, ',');
    std::getline(cells, truth, ',');
    EXPECT_EQ(truth, values[std::stoi(place)]) << place;
  }
  EXPECT_EQ(rows, 40);
}

TEST_F(MeasuredRows, TheWorstRowsAreThoseOfTheHighestLoss) {
  std::string text = "x,y\n";
  for (int i = 0; i < 80; ++i) text += fmt::format("{},{}\n", std::sin(i), std::sin(i) + std::cos(7 * i));
  write("t.csv", text);
  write("other.csv", "x,y\n0.5,0.5\n0.1,-4.5\n-0.3,5.5\n0.2,0\n");  // the largest |error| is not the largest loss
  for (const char* part : {"--test other.csv", "--validation other.csv"}) {
    ASSERT_EQ(
        run("train t.csv --target y --loss quantile --set loss.quantile=0.9 --epochs 30 --quiet " + std::string(part))
            .code,
        0);
    std::string page = read_text(path("runs/t/report.html"));
    ASSERT_TRUE(has(page, "Worst rows")) << part;
    page = page.substr(page.find("Worst rows"));
    const std::string first = page.substr(page.find("<tr><td>"));
    EXPECT_TRUE(first.starts_with("<tr><td>line 4</td><td>5.5</td>")) << first.substr(0, 200);
    const auto cell = [&](int number) {
      std::size_t at = 0;
      for (int i = 0; i <= number; ++i) at = first.find("<td", at + 3);
      return std::stod(first.substr(first.find('>', at) + 1));
    };
    const double deviation = 0.99;  // approximately that of y
    EXPECT_NEAR(cell(3), 0.9 * (5.5 - cell(2)) / deviation, 0.1 * cell(3)) << first.substr(0, 200);
  }
}

TEST_F(MeasuredRows, AMissingNumberThatTrainingDidNotHaveIsCounted) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  write("gaps.csv", "a,b,kind,y\n,2,u,1\n3,,v,2\n,1,w,3\n");
  const Ran predicted = run("predict runs/t --data gaps.csv");
  EXPECT_TRUE(
      has(predicted.err, "column a: 2 values are missing, but none was missing in training: the median is used"))
      << predicted.err;
  EXPECT_TRUE(has(predicted.err, "column b: 1 value is missing")) << predicted.err;
  EXPECT_FALSE(has(predicted.err, "column kind")) << predicted.err;
  const Ran evaluated = run("evaluate runs/t --data gaps.csv");
  EXPECT_TRUE(
      has(evaluated.err, "gaps.csv: 2 rows have no value in column a, which was never missing in the training part"))
      << evaluated.err;
}

TEST_F(MeasuredRows, AMetricThatNoFoldHasIsADash) {
  write_table("t.csv", 12);
  const Ran ran = run("train t.csv --target y --cv 12 --epochs 1 --quiet");
  EXPECT_TRUE(has(ran.out, "r2          - in each of 12 folds\n")) << ran.out << ran.err;  // each fold has one row
}

TEST_F(MeasuredRows, AColumnKeptTwiceIsPrintedOnce) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  EXPECT_TRUE(run("predict runs/t --data t.csv --keep a,y,a").out.starts_with("a,y,predicted y\n"));
}

TEST_F(MeasuredRows, OneRowIsPrintedInTheSingular) {
  write("t.csv", "x,y\n1,2.5\n2,4.5\n");
  const Ran ran = run("train t.csv --target y --epochs 1");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.err, "1 row to train on")) << ran.err;
  EXPECT_TRUE(has(ran.out, "(1 row; ")) << ran.out;
  EXPECT_TRUE(has(ran.out, ", 1 epoch, 1 step\n")) << ran.out;
  EXPECT_TRUE(has(run("compare 'x^2 + y^2' --optimizers sgd --seeds 1 --steps 1").out, "from (1, 1), 1 step each"));
  EXPECT_TRUE(has(run("compare 'x^2 + y^2' --optimizers sgd --seeds 2 --steps 3").out,
                  "from (1, 1) and 1 start near it, 3 steps each"));
}

TEST_F(MeasuredRows, AZeroGradientOfAConstantTargetIsNotCalledDead) {
  write("t.csv", "x,y\n1,2.5\n2,4.5\n");  // there is one training row, whose standardised target is 0
  EXPECT_FALSE(has(run("train t.csv --target y --epochs 20").out, "Dead gradients"));
}

TEST_F(MeasuredRows, MemorisedTrainingRowsAreNotCalledConverged) {
  std::string text;
  unsigned state = 7;
  const auto number = [&] { return static_cast<int>((state = state * 1664525U + 1013904223U) >> 16) % 1000 / 100.0; };
  for (int c = 0; c < 60; ++c) text += (c ? ",x" : "x") + std::to_string(c);
  text += ",y\n";
  for (int row = 0; row < 40; ++row) {
    for (int c = 0; c < 60; ++c) text += std::to_string(number()) + ",";
    text += std::to_string(number()) + "\n";
  }
  write("t.csv", text);
  const Ran ran = run("train t.csv --target y --epochs 300");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, "verdict     Not judged: the validation loss rose, but on 4 validation rows")) << ran.out;
}

TEST_F(MeasuredRows, ACurveThatOnlyRisesSuggestsNoRate) {
  write_table("t.csv");
  const Ran ran = run("lr t.csv --target y --start 5 --trials 0");
  EXPECT_EQ(ran.code, 2) << ran.out;
  EXPECT_TRUE(has(ran.err, "the loss falls nowhere below")) << ran.err;
  EXPECT_EQ(run("lr t.csv --target y --trials 0").code, 0);
  // the trials also test rates far below the start, and find one that learns
  EXPECT_EQ(run("lr t.csv --target y --start 5 --set train.epochs=20").code, 0);
}

TEST_F(MeasuredRows, SuspiciousColumnsAreReported) {
  const auto table = [&](const std::function<std::string(int)>& cell) {
    std::string text = "c,x,y\n";
    for (int i = 0; i < 60; ++i)
      text += cell(i) + "," + std::to_string(i * 37 % 60) + ".5," + std::to_string(i * 37 % 60 * 2 + i % 7) + ".25\n";
    write("t.csv", text);
    return notes_of("t.csv");
  };
  EXPECT_TRUE(has(table([](int i) { return i % 6 == 0 ? "-999" : std::to_string(i % 17) + ".5"; }),
                  "c is -999 in 10 rows, and lies between 0.5 and 16.5 in all others: a missing value?"));
  EXPECT_FALSE(has(table([](int i) { return std::to_string(i % 20 - 9); }), "a missing value?"));
  EXPECT_TRUE(has(table([](int i) { return "1000000000000000" + std::to_string(100 + i * 13); }),
                  "hold more digits than a number of 64 bits keeps"));
  EXPECT_FALSE(has(table([](int i) { return std::to_string(i % 17) + "000000000000000000"; }), "hold more digits"));
  EXPECT_TRUE(has(table([](int i) { return i == 9 ? "1e30" : std::to_string(i % 17) + ".5"; }),
                  "c has the value 1e30, and half of its values lie between"));
  EXPECT_TRUE(has(table([](int i) { return i % 5 == 0 ? "unknown" : std::to_string(i * 7 % 60) + ".5"; }),
                  "c: 48 of 60 cells are numbers, but not 'unknown'"));
  EXPECT_TRUE(has(table([](int i) { return i % 3 == 0   ? "Red"
                                           : i % 3 == 1 ? "red"
                                                        : "blue"; }),
                  "c: 'Red' and 'red' differ in upper and lower case alone, and count as two"));
  EXPECT_TRUE(has(table([](int i) { return std::to_string(1000 + i); }), "an identifier?"));
  EXPECT_FALSE(has(table([](int i) { return std::to_string(1 + i % 9) + "." + std::to_string(i + 10) + "e20"; }),
                   "an identifier?"));
}

/// The counts e^(5 + x / 2) are around 100, but a network whose outputs begin at 0 first predicts 1.
TEST_F(MeasuredRows, LargeCountsAreLearnedAndTheirConstantIsTheMean) {
  std::string text = "x,n\n";
  for (int i = 0; i < 300; ++i) {
    const double x = (i * 37 % 300 - 150) / 75.0;
    text += std::to_string(x) + "," + std::to_string(std::lround(std::exp(5 + x / 2))) + "\n";
  }
  write("t.csv", text);
  const Ran ran = run(
      "train t.csv --target n --task regression --loss poisson --model linear --lr 0.03 --epochs 100 --json --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_GT(ran.json().at("validation").at("r2").get<double>(), 0.99) << ran.out;
  const auto baselines = ran.json().at("baselines").at("validation");
  EXPECT_NEAR(baselines.at("constant").at("r2").get<double>(), 0, 0.15) << baselines;
  const Ran network = run("train t.csv --target n --task regression --loss poisson --epochs 1 --json --quiet");
  EXPECT_GT(network.json().at("baselines").at("validation").at("linear").at("r2").get<double>(), 0.99) << network.out;
  write("new.csv", "x\n-1\n0\n1\n");
  const Ran predicted = run("predict runs/t --data new.csv");
  double minus = 0, zero = 0, one = 0;
  ASSERT_EQ(std::sscanf(predicted.out.c_str(), "n\n%lf\n%lf\n%lf", &minus, &zero, &one), 3) << predicted.out;
  EXPECT_NEAR(minus, std::exp(4.5), 0.05 * std::exp(4.5));
  EXPECT_NEAR(zero, std::exp(5), 0.05 * std::exp(5));
  EXPECT_NEAR(one, std::exp(5.5), 0.05 * std::exp(5.5));
  // a Gaussian loss has two outputs, and a constant baseline too
  EXPECT_TRUE(has(run("train t.csv --target n --task regression --loss gaussian --epochs 3").out, "(constant: "));
}

/// The noise of n is 20 where x is below 0, and 200 elsewhere.
TEST_F(MeasuredRows, AGaussianPredictsAStandardDeviationInTheUnitOfTheTarget) {
  std::string text = "x,n\n";
  for (int i = 0; i < 2000; ++i) {
    const double x = (i * 37 % 2000 - 1000) / 500.0, sign = i % 2 == 0 ? 1 : -1;
    text += fmt::format("{},{}\n", x, 5000 + 100 * x + sign * (x < 0 ? 20 : 200));
  }
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target n --loss gaussian --model mlp --epochs 60 --lr 0.01 --quiet").code, 0);
  write("new.csv", "x\n-1\n1\n");
  const Ran csv = run("predict runs/t --data new.csv");
  double low = 0, low_deviation = 0, high = 0, high_deviation = 0;
  ASSERT_EQ(std::sscanf(csv.out.c_str(), "n,deviation\n%lf,%lf\n%lf,%lf", &low, &low_deviation, &high, &high_deviation),
            4)
      << csv.out;
  EXPECT_NEAR(low, 4900, 15);
  EXPECT_NEAR(low_deviation, 20, 8);
  EXPECT_NEAR(high, 5100, 60);
  EXPECT_NEAR(high_deviation, 200, 40);
  EXPECT_TRUE(has(run("predict runs/t --data new.csv --json").out, R"("deviation":)"));
  const Prediction one = Model::load(path("runs/t")).predict_row(std::vector<float>{1});
  EXPECT_EQ(one.value, high);
  EXPECT_EQ(one.deviation, high_deviation);
}

TEST_F(MeasuredRows, TheCurveOfALossBelowZeroIsJudgedByItsDistanceFromTheConstant) {
  std::string text = "x,n\n";
  for (int i = 0; i < 400; ++i) {
    const double x = (i * 37 % 400 - 200) / 100.0;
    text += std::to_string(x) + "," + std::to_string(std::lround(std::exp(5 + std::sin(3 * x)))) + "\n";
  }
  write("t.csv", text);
  const Ran ran = run("train t.csv --target n --task regression --loss poisson --epochs 30 --lr 3e-4");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(has(ran.out, "Converged")) << ran.out;  // with three times as many epochs r2 rises from 0.5 to 0.9
}

TEST_F(MeasuredRows, AMetricThatSomeFoldsLackIsTheMeanOfTheOthers) {
  std::string text = "x,k\n";
  for (int i = 0; i < 60; ++i) text += std::to_string(i * 37 % 60) + ".5," + (i == 7 ? "yes" : "no") + "\n";
  write("t.csv", text);
  const Ran ran = run("train t.csv --target k --features x --cv 3 --epochs 1 --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, " over 1 of 3 folds")) << ran.out;
  EXPECT_FALSE(has(ran.out, "- ± - over")) << ran.out;
}

TEST_F(MeasuredRows, AStoppedRunHasNoModelYetAndFewBatchesAreNotCalledDiverged) {
  std::string text = "a,y\n";  // each batch of four has a higher loss than the one before it
  for (int i = 0; i < 40; ++i) text += std::to_string(i * 37 % 40) + ".5," + std::to_string(i * i * 53 % 120) + ".25\n";
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target y --epochs 20 --batch-size 4 --stop-after 3 --quiet").code, 0);
  const Ran report = run("report runs/t");
  ASSERT_EQ(report.code, 0) << report.err;
  EXPECT_TRUE(has(report.out, "next        thalweg train runs/t --resume\n")) << report.out;
  EXPECT_TRUE(has(report.out, "verdict     Too short to judge")) << report.out;
  EXPECT_TRUE(has(report.out, "It was stopped before its end: resume it.")) << report.out;
  ASSERT_EQ(run("train runs/t --resume --quiet").code, 0);
  EXPECT_TRUE(has(run("report runs/t").out, "next        thalweg predict runs/t < new.csv")) << report.out;
}

TEST_F(MeasuredRows, ANumberInAnotherFormIsNotCalledTooLarge) {
  std::string text = "a;y\n";
  for (int i = 0; i < 40; ++i) text += std::to_string(i) + ",5;" + std::to_string(2 * i) + ",25\n";
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  write("new.csv", "a;y\n1,5;2\n1.5;2\n");
  expect_refused(run("predict runs/t --data new.csv"), 3,
                 "'1.5' is a number in another form than the column's (decimal commas");
  expect_refused(run("evaluate runs/t --data new.csv"), 3,
                 "'1.5' is a number in another form than the column's (decimal commas");
}

TEST_F(MeasuredRows, LabelsThatNoImageHasAreReported) {
  std::string images("\0\0\10\3\0\0\0\36\0\0\0\2\0\0\0\2", 16), labels("\0\0\10\1\0\0\0\36", 8);
  for (int i = 0; i < 30; ++i) {
    images += std::string(4, static_cast<char>(i * 8));
    labels += static_cast<char>(i % 5 == 0 ? 9 : i % 3);
  }
  write("i", images);
  write("l", labels);
  write("t.toml",
        "[data]\nformat = \"idx\"\ntrain = { images = \"i\", labels = \"l\" }\n[model]\nkind = \"linear\"\n"
        "[train]\nepochs = 1\n");
  const Ran ran = run("train t.toml --set 'loss.ignored_labels=[9]'");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.err, "6 of 10 classes have no image: the highest label is 9")) << ran.err;
  EXPECT_FALSE(has(ran.out, "nearest neighbour")) << ran.out;  // that baseline would count ignored labels
}

TEST_F(MeasuredRows, TheWorstOfManyImagesAreShown) {
  const auto write_images = [&](const std::string& name, int count, int wrong) {
    const auto size = [&] {
      std::string bytes;
      for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(count >> shift & 255);
      return bytes;
    };
    std::string images = std::string("\0\0\10\3", 4) + size() + std::string("\0\0\0\2\0\0\0\2", 8);
    std::string labels = std::string("\0\0\10\1", 4) + size();
    for (int i = 1; i <= count; ++i) {
      const bool bright = i % 2 == 0;
      images += std::string(4, static_cast<char>(i % 100 + (bright ? 150 : 0)));
      labels += static_cast<char>(bright != (i == wrong) ? 1 : 0);
    }
    write(name + "-images", images);
    write(name + "-labels", labels);
  };
  write_images("train", 100, 0);
  write_images("test", 20'010, 20'007);
  write("t.toml",
        "[data]\nformat = \"idx\"\ntrain = { images = \"train-images\", labels = \"train-labels\" }\n"
        "test = { images = \"test-images\", labels = \"test-labels\" }\n[model]\nkind = \"linear\"\n"
        "[optimizer]\nkind = \"adam\"\nlr = 0.1\n[train]\nepochs = 10\n");
  const Ran ran = run("train t.toml -q --out r");
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::string page = read_text(path("r/report.html"));
  ASSERT_TRUE(has(page, "Worst rows"));
  page = page.substr(page.find("Worst rows"));
  EXPECT_TRUE(page.substr(page.find("<tr><td>")).starts_with("<tr><td><img class=\"row\" alt=\"image 20007\""))
      << page.substr(page.find("<tr><td>"), 200);
}

TEST_F(MeasuredRows, ACommandWithNamesThatLookLikeOptionsCanBePasted) {
  std::string text = "-a,$b,\"the \"\"y\"\"\"\n";
  for (int i = 0; i < 40; ++i)
    text += std::to_string(i % 4) + "," + std::to_string(i * 37 % 40) + "," + std::to_string(i) + ".5\n";
  write("t.csv", text);
  const Ran found = run("lr t.csv --target 'the \"y\"' --type=-a=category --drop '$b' --steps 12 --trials 0");
  ASSERT_EQ(found.code, 0) << found.err;
  const std::size_t begin = found.out.find("thalweg train t.csv");
  ASSERT_NE(begin, std::string::npos) << found.out;
  const std::string line = found.out.substr(begin + 8, found.out.find('\n', begin) - begin - 8);
  EXPECT_EQ(run(line + " --epochs 1").code, 0) << line;
}

TEST_F(MeasuredRows, MoreEpochsAreNotAdvisedWhereEarlyStoppingEndsThem) {
  write_table("t.csv");
  const Ran ran =
      run("train t.csv --target y --epochs 60 --lr 0.02 --set 'train.early_stopping={patience=\"1 epochs\"}'");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(has(ran.out, "60 epochs,")) << ran.out;  // it was stopped early
  EXPECT_FALSE(has(ran.out, "twice as many")) << ran.out;
}

TEST_F(MeasuredRows, EmptyOptionsAreRefused) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  expect_refused(run("evaluate runs/t --data ''"), 2, "--data: an empty text");
  expect_refused(run("train t.csv --target y --out ''"), 2, "--out: an empty text");
}

TEST_F(MeasuredRows, OptionsThatExcludeEachOtherAreRefused) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  expect_refused(run("evaluate runs/t --data t.csv --images i.gz"), 2, "--data and --images. Wanted: one of them");
  expect_refused(run("train t.csv --target y --dry-run --cv 3"), 2, "Wanted: --cv or --dry-run");
}

TEST_F(MeasuredRows, AFormatOfALaterVersionIsRefusedByName) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 3 --stop-after 4 --quiet").code, 0);
  std::string record = read_text(path("runs/t/data.json"));
  record.replace(record.find("\"format\": 1"), 11, "\"format\": 7");
  write("runs/t/data.json", record);
  expect_refused(run("train runs/t --resume"), 4, "is of format 7, and this version of thalweg knows format 1");
}

}  // namespace
}  // namespace thalweg::testing
