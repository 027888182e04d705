// The command's statements about the end of a run are true: the kept model, the reason for the end, the baselines; and
// the same in a table of several runs.

#include <cmath>
#include <filesystem>
#include <functional>

#include "command.hpp"

namespace thalweg::testing {
namespace {

namespace fs = std::filesystem;

class Outcomes : public CommandTest {
 protected:
  [[nodiscard]] static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
  /// Writes features that predict the class only weakly, so that a network overfits.
  void write_noisy_classes(const std::string& name, int rows = 400) const {
    std::string text = "a,b,c,k\n";
    unsigned state = 99;
    const auto number = [&] { return static_cast<int>((state = state * 1664525U + 1013904223U) >> 16) % 1000; };
    for (int i = 0; i < rows; ++i) {
      const int a = number(), b = number(), c = number();
      text += std::to_string(a / 100.0) + "," + std::to_string(b / 100.0) + "," + std::to_string(c / 100.0) + "," +
              (10 * a + 3 * number() < 5000 ? "yes\n" : "no\n");
    }
    write(name, text);
  }
  /// Writes those of the classes u, v, w that `only` names, which follow from x, 40 rows of each.
  void write_three_classes(const std::string& name, const std::string& only = "uvw") const {
    std::string text = "x,k\n";
    for (int i = 0; i < 120; ++i) {
      if (has(only, std::string(1, "uvw"[i % 3])))
        text += std::to_string(i % 3 * 10 + i % 7) + ".5," + std::string(1, "uvw"[i % 3]) + "\n";
    }
    write(name, text);
  }
};

TEST_F(Outcomes, TheBestModelIsRestoredOnlyIfAskedFor) {
  write_noisy_classes("t.csv", 600);
  for (const char* restores : {"true", "false"}) {
    const bool kept = std::string(restores) == "true";
    const std::string folder = std::string("runs/") + restores;
    const Ran trained = run("train t.csv --target k --epochs 60 --lr 0.03 --validation 0.5 --out " + folder +
                            " --set 'train.early_stopping={patience=\"100%\",restore_best=" + restores + "}'");
    ASSERT_EQ(trained.code, 0) << trained.err;
    for (const Ran& ran : {trained, run("report " + folder)}) {
      EXPECT_EQ(has(ran.out, ", which was restored\n"), kept) << ran.out;
      EXPECT_EQ(has(ran.out, "; the model is that of epoch 60\n"), !kept) << ran.out;
      EXPECT_TRUE(has(ran.out, "verdict     Overfits from epoch ")) << ran.out;
      EXPECT_EQ(has(ran.out, ": kept epoch 60."), !kept) << ran.out;
      EXPECT_EQ(has(ran.out, "The best epoch was kept."), kept) << ran.out;
      EXPECT_EQ(has(ran.out, "restore_best = true"), !kept) << ran.out;
    }
    const auto json = run("report " + folder + " --json").json();
    EXPECT_LT(json.at("best_epoch"), 60);
    EXPECT_EQ(json.at("kept_epoch"), kept ? json.at("best_epoch") : nlohmann::json(60));
  }
}

TEST_F(Outcomes, ARunThatEarlyStoppingEndedIsFinished) {
  write_table("t.csv");
  const std::string stopping = " --set 'train.early_stopping={patience=\"1 epochs\"}'";
  const Ran trained = run("train t.csv --target y --epochs 40 --lr 0.05 --out runs/e" + stopping);
  ASSERT_EQ(trained.code, 0) << trained.err;
  ASSERT_FALSE(has(trained.out, " 40 epochs,")) << trained.out;
  const Ran again = run("report runs/e");
  for (const Ran& ran : {trained, again}) {
    EXPECT_FALSE(has(ran.out, "before its end: resume it.")) << ran.out;
    EXPECT_TRUE(has(ran.out, "Early stopping ended the run after epoch ")) << ran.out;
  }
  EXPECT_TRUE(run("report runs/e --json").json().at("stopped_early"));
  EXPECT_EQ(run("train runs/e --resume").code, 2);
  ASSERT_EQ(run("train t.csv --target y --epochs 40 --stop-after 5 --quiet --out runs/s" + stopping).code, 0);
  EXPECT_TRUE(has(run("report runs/s").out, "It was stopped before its end: resume it."));
}

TEST_F(Outcomes, ValidationRowsWithoutWeightDoNotCountAsAMeasurement) {
  write_three_classes("t.csv");
  write_three_classes("u.csv", "u");
  for (const char* loss : {"ignored_labels=[0]", "class_weights=[0,1,1]"}) {
    const Ran ran = run(std::string("train t.csv --target k --validation u.csv --epochs 10 --json --set 'loss.") +
                        loss + "' --set 'train.early_stopping={patience=\"1 epochs\"}'");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(has(ran.err, "the validation rows weigh nothing in the loss")) << ran.err;
    const auto json = ran.json();
    EXPECT_FALSE(json.at("stopped_early"));
    EXPECT_EQ(json.at("steps"), 40);
    EXPECT_NE(json.at("verdict").at("kind"), "converged");
    EXPECT_FALSE(json.at("verdict").at("sentence").get<std::string>().empty());
  }
}

TEST_F(Outcomes, BalancedClassesHaveTheLargestClassAsABaselineToo) {
  std::string text = "x,k\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(i * 37 % 100) + ".5," + (i * 7 % 10 < 8 ? "no\n" : "yes\n");
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target k --epochs 2 --quiet --out runs/p").code, 0);
  const Ran plain = run("report runs/p --json"),
            balanced = run("train t.csv --target k --epochs 2 --json --out runs/b --set data.class_weights=balanced");
  ASSERT_EQ(balanced.code, 0) << balanced.err;
  const auto constant = balanced.json()["baselines"]["validation"]["always no"];
  EXPECT_EQ(constant, plain.json()["baselines"]["validation"]["always no"]);
  EXPECT_GT(constant.at("accuracy"), 0.6);
  EXPECT_LT(constant.at("loss"), 0.65);
  const auto measured = run("evaluate runs/b --json").json()["baselines"]["always no"];
  EXPECT_EQ(measured.at("accuracy"), constant.at("accuracy"));
  EXPECT_NEAR(measured.at("loss").get<double>(), constant.at("loss").get<double>(), 1e-6);
}

TEST_F(Outcomes, EachBaselineHasOnlyItsOwnMetric) {
  std::string text = "x,k\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(i * 37 % 100) + ".5," + (i * 7 % 10 < 8 ? "no\n" : "yes\n");
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target k --epochs 2 --quiet --out runs/p").code, 0);
  const auto plain = run("report runs/p --json").json()["baselines"]["validation"]["always no"];
  const Ran ran = run("train t.csv --target k --epochs 2 --json --out runs/w --set 'loss.positive_weight=[30]'");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto beside = ran.json()["baselines"]["validation"],
             measured = run("evaluate runs/w --json").json()["baselines"];
  EXPECT_EQ(beside["always no"]["accuracy"], plain["accuracy"]);  // accuracy does not use the weights
  EXPECT_FALSE(beside["always no"].contains("loss"));
  EXPECT_GT(beside["constant"]["loss"], plain["loss"]);  // the loss is weighted
  EXPECT_EQ(beside["constant"].size(), 1u);
  EXPECT_EQ(measured["always no"], beside["always no"]);
}

TEST_F(Outcomes, ABalancedVerdictNamesItsConstant) {
  std::string text = "x,k\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(i * 7919 % 97) + ".5," + (i * 7 % 10 < 8 ? "no\n" : "yes\n");
  write("t.csv", text);
  const Ran ran = run("train t.csv --target k --epochs 30 --json --out r --set data.class_weights=balanced");
  ASSERT_EQ(ran.code, 0) << ran.err;
  ASSERT_EQ(ran.json()["verdict"]["kind"], "learned nothing");
  const std::string report = read_text(path("r/report.html"));
  EXPECT_TRUE(has(report, "best constant for balanced classes is 0.693"));  // log 2
  EXPECT_FALSE(has(report, "the best constant is"));
}

TEST_F(Outcomes, AHingeLossGivesScoresInPlaceOfProbabilities) {
  std::string text = "x,k\n";
  for (int i = 0; i < 200; ++i)
    text += std::to_string(i * 37 % 100) + ".5," + (i * 37 % 100 < 60 + i % 9 ? "no\n" : "yes\n");
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target k --loss hinge --epochs 20 --quiet --out r").code, 0);
  const Ran predicted = run("predict r --data t.csv");
  EXPECT_TRUE(predicted.out.starts_with("k,score(no),score(yes)\n")) << predicted.out;
  std::istringstream lines(predicted.out);
  std::string line;
  std::getline(lines, line);
  int beyond = 0;  // scores outside [-1, 1], which cannot be probabilities
  while (std::getline(lines, line)) {
    const double score = std::stod(line.substr(line.rfind(',') + 1));
    EXPECT_EQ(line.starts_with("yes"), score > 0) << line;
    beyond += std::abs(score) > 1 ? 1 : 0;
  }
  EXPECT_GT(beyond, 20);
  const Ran json = run("predict r --data t.csv --json");
  EXPECT_TRUE(json.json().contains("scores"));
  EXPECT_FALSE(json.json().contains("probabilities"));
  EXPECT_GT(run("evaluate r --data t.csv --json").json()["accuracy"], 0.9);
  EXPECT_TRUE(has(read_text(path("r/report.html")), "(score ")) << "in the table of the worst rows";
  ASSERT_EQ(run("train t.csv --target k --loss hinge --epochs 2 --cv 2 --quiet").code, 0);
  EXPECT_TRUE(read_text(path("runs/t-cv/predictions.csv")).starts_with("line,fold,k,predicted,score(no),score(yes)\n"));
}

TEST_F(Outcomes, AStoppedRunIsMeasuredOnTheGivenData) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 6 --stop-after 10 --quiet --out runs/s").code, 0);
  write_table("other.csv", 50);
  const Ran before = run("evaluate runs/s --data other.csv --json");
  ASSERT_EQ(before.code, 0) << before.err;
  EXPECT_EQ(before.json().at("rows"), 50);
  EXPECT_EQ(before.json().at("step"), 10);
  write_table("t.csv", 119);
  for (const char* command : {"report runs/s", "evaluate runs/s"}) {
    const Ran refused = run(command);
    EXPECT_EQ(refused.code, 3) << refused.err;
    EXPECT_TRUE(has(refused.err, "runs/s --data FILE")) << refused.err;
  }
  EXPECT_EQ(run("evaluate runs/s --data other.csv --json").out, before.out);
  EXPECT_FALSE(has(run("evaluate runs/s --data t.csv").out, "nan"));
}

TEST_F(Outcomes, AResumedRunMeasuresTheSameAsAnUninterruptedOne) {
  write_table("t.csv");
  write_table("other.csv", 50);
  const std::string train = "train t.csv --target y --quiet --set train.early_stopping=false --epochs 3 --out runs/";
  ASSERT_EQ(run(train + "whole").code, 0);
  EXPECT_FALSE(fs::exists(path("runs/whole/recipe.safetensors")));
  ASSERT_EQ(run(train + "part --stop-after 11").code, 0);
  ASSERT_EQ(run("train runs/part --resume --quiet").code, 0);
  EXPECT_EQ(run("evaluate runs/part --data other.csv").out, run("evaluate runs/whole --data other.csv").out);
}

TEST_F(Outcomes, FoldsAreReportedWithTheirBaselines) {
  write_noisy_classes("t.csv", 120);
  const Ran ran = run("train t.csv --target k --cv 3 --epochs 2"),
            again = run("train t.csv --target k --cv 3 --epochs 2 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.out, " over 3 folds (always no: ")) << ran.out;
  const auto baselines = again.json().at("baselines");
  EXPECT_GT(baselines.at("always no").at("accuracy"), 0.5);
  EXPECT_GT(baselines.at("linear").at("accuracy"), baselines.at("always no").at("accuracy"));
  EXPECT_FALSE(again.json().contains("always no"));
}

class OutcomesOfVariants : public Outcomes {
 protected:
  void write_variants(const std::string& own) const {
    write("v.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"k\"\n[model]\nkind = \"mlp\"\n[train]\nepochs = 20\n" + own);
  }
  [[nodiscard]] static std::string variant(const std::string& name, const std::string& changes) {
    return "[[variants]]\nname = \"" + name + "\"\n" + changes + "\n";
  }
};

TEST_F(OutcomesOfVariants, AreThoseOfTheirRuns) {
  write_noisy_classes("t.csv");
  write_variants(variant("slow", "optimizer = { lr = 0.0003 }") + variant("fast", "optimizer = { lr = 0.03 }"));
  ASSERT_EQ(run("train v.toml --quiet --stop-after 15 --out runs/p").code, 0);
  const Ran whole = run("train v.toml --json --out runs/v"), resumed = run("train runs/p --resume --json");
  ASSERT_EQ(whole.code, 0) << whole.err;
  const std::string page = read_text(path("runs/v/report.html"));
  const auto all = whole.json().at("variants");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(resumed.json().at("variants"), all);
  EXPECT_FALSE(whole.json().contains("note"));
  for (const auto& one : all) {
    const auto own = run("report runs/v/" + one.at("name").get<std::string>() + " --json").json();
    EXPECT_EQ(one.at("verdict"), own.at("verdict").at("kind"));
    EXPECT_EQ(one.at("validation.loss"), own.at("validation").at("loss"));
    EXPECT_EQ(one.at("validation.accuracy"), own.at("validation").at("accuracy"));
    EXPECT_TRUE(has(page, own.at("verdict").at("sentence").get<std::string>())) << own;
  }
}

TEST_F(OutcomesOfVariants, DifferentLossesAreReported) {
  write_noisy_classes("t.csv");
  write_variants(variant("one", "seed = 2") + variant("two", "loss = { kind = \"focal\" }"));
  const Ran ran = run("train v.toml --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const char* note = "the losses are of different kinds (binary_cross_entropy, focal)";
  EXPECT_TRUE(has(ran.out, note)) << ran.out;
  EXPECT_TRUE(has(read_text(path("runs/v/report.html")), note));
  EXPECT_TRUE(has(run("train v.toml --quiet --json").json().at("note").get<std::string>(), note));
}

TEST_F(OutcomesOfVariants, AVariantThatEndsInAnErrorIsNotASuccess) {
  write_noisy_classes("t.csv");
  write_variants(variant("lost", "optimizer = { kind = \"sgd\", lr = 1e30 }") + variant("good", "seed = 2"));
  const Ran ran = run("train v.toml --quiet");
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_TRUE(has(ran.err, "[variants] 1 of 2 ended in an error and left no model: lost")) << ran.err;
  EXPECT_TRUE(has(ran.out, "lost                 diverged\n")) << ran.out;
  EXPECT_TRUE(has(ran.out, "good                 validation.loss ")) << ran.out;
  EXPECT_TRUE(fs::exists(path("runs/v/good/model.safetensors")));
}

/// A table whose class is "yes" where a + b plus `noise` times a random number is high.
std::string noisy_classes(int rows, unsigned state, int noise = 1) {
  std::string text = "a,b,y\n";
  const auto number = [&] { return static_cast<int>((state = state * 1664525u + 1013904223u) >> 16) % 1000; };
  for (int i = 0; i < rows; ++i) {
    const int a = number(), b = number(), chance = number();
    text += std::to_string(a) + "," + std::to_string(b) + "," +
            (2 * (a + b) + noise * chance > 2000 + 500 * noise ? "yes" : "no") + "\n";
  }
  return text;
}

TEST_F(Outcomes, AModelThatBeatsTheConstantRowByRowHasLearnedSomething) {
  write("few.csv", noisy_classes(50, 7));
  write("many.csv", noisy_classes(3000, 8));
  for (const char* seed :
       {"1", "2", "3", "4", "5", "6"}) {  // on five validation rows it may be worse than the constant by chance
    const std::string out =
        run(std::string("train few.csv --target y --epochs 30 -q --test many.csv --seed ") + seed).out;
    EXPECT_FALSE(has(out, "Learned nothing")) << out;
    EXPECT_FALSE(has(out, "Not judged")) << out;
  }
}

/// The labels are random, but of many epochs one may be better than the constant on forty validation rows by chance.
TEST_F(Outcomes, AnEpochThatIsBetterByChanceHasLearnedNothing) {
  for (unsigned state : {1U, 15U}) {
    std::string text = "a,b,c,k\n";
    const auto number = [&] { return static_cast<int>((state = state * 1664525U + 1013904223U) >> 16) % 1000; };
    for (int i = 0; i < 400; ++i) {
      for (int column = 0; column < 3; ++column) text += std::to_string(number()) + ".5,";
      text += number() < 500 ? "u\n" : "v\n";
    }
    write("drawn.csv", text);
    const std::string out = run("train drawn.csv --target k --model linear --lr 0.3 --epochs 40 -q").out;
    EXPECT_TRUE(has(out, "Learned nothing")) << out;
  }
}

/// A run of few epochs that still improves is not blamed on the data.
TEST_F(Outcomes, FewEpochsAreNotBlamedOnTheData) {
  for (const auto& [factor, modulus] : {std::pair(53, 100), std::pair(29, 90)}) {
    std::string text = "x,k\n";
    for (int i = 0; i < 80; ++i) {
      text += std::to_string(i * 37 % 80) + ".5,";
      text += i * 37 % 80 + i * factor % modulus > (modulus == 100 ? 89 : 84) ? "TRUE\n" : "FALSE\n";
    }
    write("t.csv", text);
    const std::string out = run("train t.csv --target k --model linear --epochs 4 -q").out;
    EXPECT_FALSE(has(out, "Learned nothing")) << out;
    EXPECT_FALSE(has(out, "Converged")) << out;
  }
}

TEST_F(Outcomes, LongNamesOfClassesStayDistinguishable) {
  std::string text = "x,k\n";
  for (int i = 0; i < 80; ++i)
    text += std::to_string(i) + ".5," + (i % 2 == 0 ? "10000000000000000000\n" : "10000000000000000001\n");
  write("t.csv", text);
  const std::string out = run("train t.csv --target k --model linear --epochs 1 -q").out;
  EXPECT_TRUE(has(out, "1000000..0000000  1000000..0000001")) << out;
}

TEST_F(Outcomes, FewValidationRowsCannotShowThatNothingWasLearned) {
  write("few.csv", noisy_classes(40, 9, 6));
  bool said = false;
  for (const char* seed : {"1", "2", "3", "4", "5", "6"}) {
    const std::string out =
        run(std::string("train few.csv --target y --epochs 40 --validation 0.1 -q --seed ") + seed).out;
    EXPECT_FALSE(has(out, "Learned nothing")) << out;
    said = said || has(out, "rows are too few to decide") || has(out, "rows that may be chance");
  }
  EXPECT_TRUE(said);  // for at least one seed
}

TEST_F(Outcomes, AModelWorseThanTheConstantOnTheTestRowsIsNotCalledConverged) {
  std::string rows = "a,b,y\n", test = rows;
  unsigned state = 5;
  const auto number = [&] { return static_cast<int>((state = state * 1664525u + 1013904223u) >> 16) % 1000; };
  for (int i = 0; i < 30; ++i) {  // each row six times, with a random label
    const std::string row =
        std::to_string(number()) + "," + std::to_string(number()) + "," + (number() % 2 ? "u" : "v");
    for (int times = 0; times < 6; ++times) rows += row + "\n";
  }
  for (int i = 0; i < 500; ++i)
    test += std::to_string(number()) + "," + std::to_string(number()) + "," + (number() % 2 ? "u" : "v") + "\n";
  write("t.csv", rows);
  write("test.csv", test);
  const std::string out =
      run("train t.csv --target y --epochs 200 --set model.hidden=[256,256] --test test.csv -q").out;
  EXPECT_TRUE(has(out, "Learned nothing that generalises: on the test rows")) << out;
}

}  // namespace
}  // namespace thalweg::testing
