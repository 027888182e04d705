// The command's statements about unusual inputs are true: names, counts, reasons and refusals.

#include <fmt/format.h>

#include "command.hpp"

#include <functional>

namespace thalweg::testing {
namespace {

class Claims : public CommandTest {
 protected:
  [[nodiscard]] static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
  /// A table for a regression of y by x, with another column whose cells are `cell(row)`.
  void write_column(const std::string& name, const std::function<std::string(int)>& cell) const {
    std::string text = "x,c,y\n";
    for (int i = 0; i < 60; ++i)
      text += std::to_string(i * 37 % 60) + ".5," + cell(i) + "," + std::to_string(i * 37 % 60 * 2 + i % 7) + ".25\n";
    write(name, text);
  }
};

TEST_F(Claims, NegativeCountsAreRefused) {
  write("t.csv", "x,n\n1,2.5\n2,0\n3,-1\n4,7\n5,3.5\n6,1\n7,4\n8,2\n");
  const Ran ran = run("train t.csv --target n --task regression --loss poisson --epochs 1");
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(has(ran.err, "t.csv, line 4, column 'n': the loss is one of counts, and -1 is below 0")) << ran.err;
}

TEST_F(Claims, ALossThatDoesNotSuitTheTargetIsRefused) {
  write("two.csv", "x,k\n1,u\n2,v\n3,u\n4,v\n5,u\n6,v\n7,u\n8,v\n");
  const Ran numbers = run("train two.csv --target k --features x --loss mse");
  EXPECT_EQ(numbers.code, 2);
  EXPECT_TRUE(has(numbers.err, "[loss] mse is a loss of numbers, but 'k' has one of 2 classes a row")) << numbers.err;
  EXPECT_TRUE(has(numbers.err, "binary_cross_entropy, focal, hinge, squared_hinge")) << numbers.err;
  EXPECT_EQ(run("train two.csv --target k --features x --loss cross_entropy").code, 2)
      << "with one logit it is always 0";
  EXPECT_EQ(run("train two.csv --target k --features x --loss hinge --epochs 1").code, 0);
  write("three.csv", "x,k\n1,u\n2,v\n3,w\n4,v\n5,u\n6,w\n7,u\n8,v\n");
  EXPECT_TRUE(has(run("train three.csv --target k --features x --loss binary_cross_entropy").err,
                  "binary_cross_entropy is a loss of two classes, but 'k' has one of 3 classes a row"));
}

/// What is suggested works, and what does not work has the true reason.
TEST_F(Claims, LossesOfProbabilitiesOrPairsAreNotSuggestedForATable) {
  write("three.csv", "x,k,n\n1,u,1\n2,v,2\n3,w,4\n4,v,3\n5,u,2\n6,w,1\n7,u,5\n8,v,2\n");
  const Ran ran = run("train three.csv --target k --features x --loss kl_divergence");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.err, "kl_divergence is a loss of probabilities of each class, but 'k' has one of 3 classes"))
      << ran.err;
  EXPECT_TRUE(has(ran.err, "Losses of a multiclass target: cross_entropy.")) << ran.err;
  const Ran pairs = run("train three.csv --target n --task regression --features x --loss cosine");
  EXPECT_EQ(pairs.code, 2);
  EXPECT_TRUE(has(pairs.err, "cosine is a loss of vectors, pairs or texts, but 'n' is a column of numbers"))
      << pairs.err;
}

/// Two classes have a positive one, also where they are predicted as several: the rarer, or the one that is asked for.
TEST_F(Claims, TwoOfSeveralClassesHaveAPositiveOne) {
  std::string rows = "x,k\n";
  for (int i = 0; i < 60; ++i) rows += fmt::format("{},{}\n", i % 7 - 3, i % 7 > 4 ? "a" : "b");
  write("rare.csv", rows);
  const Ran rarer = run("train rare.csv --target k --task multiclass --epochs 1 --out r");
  ASSERT_EQ(rarer.code, 0) << rarer.err;
  EXPECT_TRUE(has(rarer.out, "positive: a")) << rarer.out;
  EXPECT_TRUE(
      has(run("train rare.csv --target k --task multiclass --epochs 1 --positive b --out s").out, "positive: b"));
}

/// Training rows in another file are found by their contents, and so are those of a fold.
TEST_F(Claims, TrainingRowsAmongTestRowsAreFoundByTheirContents) {
  write_table("t.csv");
  write("copy.csv", read_text(path("t.csv")));
  write("other.csv", "a,b,kind,y\n0.123,0.5,u,1\n0.456,0.25,v,2\n0.789,0.125,w,3\n");
  for (const std::string part : {"--test ", "--validation "}) {
    const auto told = [&](const std::string& file) {
      return has(run("train t.csv --target y --epochs 1 --out r " + part + file).err, "are also training rows");
    };
    EXPECT_TRUE(told("copy.csv")) << part;
    EXPECT_FALSE(told("other.csv")) << part;
  }
  const Ran held_out = run("train t.csv --target y --epochs 1 --out r --test copy.csv");
  EXPECT_TRUE(has(held_out.err, "test: 108 of 120 rows are also training rows")) << "12 are held out\n" << held_out.err;
  std::string twice = read_text(path("t.csv"));
  twice += twice.substr(twice.find('\n') + 1);
  write("twice.csv", twice);
  const Ran folds = run("train twice.csv --target y --epochs 1 --cv 4 --out f");
  EXPECT_TRUE(has(folds.err, "warning: fold 1: test rows: ")) << folds.err << folds.out;
  EXPECT_FALSE(has(folds.err, "fold 2: test rows: ")) << "the same warning once\n" << folds.err;
}

TEST_F(Claims, ALossWithItsOwnClassWeightsIsTakenForAnyNumberOfClasses) {
  std::string rows = "x,k\n";
  for (int i = 0; i < 80; ++i) rows += fmt::format("{},c{}\n", i % 9, i % 4);
  write("four.csv", rows);
  const Ran ran = run("train four.csv --target k --epochs 1 --loss cross_entropy --set loss.class_weights=[1,2,3,4]");
  EXPECT_EQ(ran.code, 0) << ran.err;
}

/// Columns whose commas or minus signs may be read in two ways, or in none.
TEST_F(Claims, CommasAndMinusSignsOfOtherKindsAreTold) {
  std::string tabs = "x\tz\ty\n", quoted = "x,z,y\n", mixed = "x,z,y\n", minus = "w,x,y\n";
  for (int i = 0; i < 40; ++i) {
    tabs += fmt::format("{},{:03}\t1.{}\t{}\n", 1 + i % 9, 100 + i * 7 % 900, 10 + i, i % 7 * 1.5);
    quoted += fmt::format("\"0,{:03}\",\"{},{:03}\",{}\n", 100 + i * 7, 1 + i % 3, 200 + i * 3, i % 5);
    mixed += fmt::format("\"1,{}\",\"{},{:03}\",{}\n", 1 + i % 9, 1 + i % 3, 200 + i * 3, i % 5);
    minus += fmt::format("{},{}{},{}\n", i % 3, i % 2 ? "\u2212" : "", 1 + i % 11, i % 5);
  }
  for (const auto& [name, text] : {std::pair("tabs", tabs), {"quoted", quoted}, {"mixed", mixed}, {"minus", minus}})
    write(std::string(name) + ".csv", text);
  const auto told = [&](const std::string& name) { return run("train " + name + ".csv --target y --epochs 1").err; };
  EXPECT_TRUE(has(told("tabs"), "x: three digits behind each comma, which was taken for a decimal comma"))
      << told("tabs");
  EXPECT_TRUE(has(told("quoted"), "numbers with decimal commas, 1234,5 is 1234.5: x")) << told("quoted");
  EXPECT_TRUE(has(told("mixed"), "z: three digits behind each comma, which was taken for a separator"))
      << told("mixed");
  EXPECT_TRUE(has(told("minus"), "its minus sign is '\u2212', as in '\u2212")) << told("minus");
}

TEST_F(Claims, AWarmUpOfTheWholeRunIsTold) {
  write_table("t.csv");
  const auto told = [&](const std::string& more) {
    const Ran ran = run("train t.csv --target y --epochs 2 --schedule cosine --out r " + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return has(ran.err, "lasts until the run ends");
  };
  EXPECT_FALSE(told("--set schedule.warmup=50%"));
  EXPECT_TRUE(told("--set schedule.warmup=100%"));
  EXPECT_TRUE(told("--set schedule.warmup=500"));
  EXPECT_FALSE(told(""));
  EXPECT_EQ(run("train t.csv --target y --set schedule.warmup=500%").code, 2);
}

TEST_F(Claims, ARegressionHasNoClassesToBalance) {
  write_table("t.csv");
  const Ran ran = run("train t.csv --target y --set data.class_weights=balanced");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.err, "the task is regression")) << ran.err;
}

TEST_F(Claims, ACrossValidationLeavesNoModel) {
  std::string text = "a,fold\n";
  for (int i = 0; i < 40; ++i) text += std::to_string(i * 17 % 40) + ".5," + (i % 2 ? "line" : "predicted") + "\n";
  write("t.csv", text);
  ASSERT_EQ(run("train t.csv --target fold --cv 2 --epochs 1 --quiet").code, 0);
  EXPECT_TRUE(
      read_text(path("runs/t-cv/predictions.csv")).starts_with("line,fold,fold_,predicted,p(line),p(predicted)\n"));
  for (const char* command : {"evaluate", "predict --data t.csv", "report", "landscape"}) {
    const Ran ran = run(std::string(command) + " runs/t-cv");
    EXPECT_EQ(ran.code, 2) << command;
    EXPECT_TRUE(has(ran.err, "holds the figures of a cross-validation")) << ran.err;
  }
  const Ran resumed = run("train runs/t-cv --resume");
  EXPECT_EQ(resumed.code, 2);
  EXPECT_TRUE(has(resumed.err, "has finished")) << resumed.err;
  EXPECT_EQ(run("train t.csv --target fold --cv 2 --epochs 1 --resume").code, 2);
  EXPECT_EQ(run("train t.csv --target fold --cv 2 --epochs 1 --stop-after 1").code, 2);
}

TEST_F(Claims, ACrossValidationDoesNotUseTestData) {
  write_table("t.csv");
  write_table("test.csv", 40);
  const Ran asked = run("train t.csv --target y --cv 2 --epochs 1 --test test.csv");
  EXPECT_EQ(asked.code, 2) << asked.out;
  EXPECT_TRUE(has(asked.err, "--cv and --test: each fold is tested on the rows that it did not see")) << asked.err;
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\ntest = \"test.csv\"\n[train]\nepochs = 1\n");
  const Ran configured = run("train t.toml --cv 2");
  EXPECT_EQ(configured.code, 0) << configured.err;
  EXPECT_TRUE(has(configured.err, "test.csv\" is not used: each fold")) << configured.err;
  EXPECT_FALSE(has(run("train t.csv --target y --cv 2 --epochs 1").err, "is not used: each fold"));
}

TEST_F(Claims, RowsLeftOutOfAMeasurementAreCounted) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  write("new.csv", "a,b,kind,y\n1,2,u,1\n2,3,v,\n3,3,w,4\n4,1,u,NA\n");
  const Ran ran = run("evaluate runs/t --data new.csv");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(has(ran.err, "new.csv: rows without y were left out: 2")) << ran.err;
  EXPECT_FALSE(has(run("evaluate runs/t").err, "left out"));
}

TEST_F(Claims, TestDataThatIsTheTrainingDataIsReported) {
  write_table("t.csv");
  const Ran same = run("train t.csv --target y --epochs 1 --test t.csv");
  EXPECT_TRUE(has(same.err, "test data and training data are the same")) << same.err;
  write_table("other.csv", 50);
  EXPECT_FALSE(has(run("train t.csv --target y --epochs 1 --test other.csv").err, "are the same"));
}

TEST_F(Claims, NumbersBeyondTheRangeOfF32AreRefused) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const Ran predicted = shell("printf 'a,b,kind\\n1e300,1,u\\n' | " + command() + " predict runs/t");
  EXPECT_EQ(predicted.code, 3);
  EXPECT_TRUE(has(predicted.err, "'1e300' is beyond 3.4e38, the largest number of f32")) << predicted.err;
  write_column("w.csv", [](int i) { return i == 3 ? "1e308" : "1"; });
  const Ran weighted = run("train w.csv --target y --weight c");
  EXPECT_EQ(weighted.code, 3);
  EXPECT_TRUE(has(weighted.err, "line 5, column 'c': weight '1e308'. Wanted: 0 or more, at most 3.4e38"))
      << weighted.err;
}

TEST_F(Claims, AnEmptyColumnIsReportedAsEmptyAndNotAsConstant) {
  write_column("t.csv", [](int) { return ""; });
  const Ran ran = run("train t.csv --target y --task regression --dry-run");
  EXPECT_TRUE(has(ran.err, "left out, no value: c")) << ran.err;
  EXPECT_FALSE(has(ran.err, "one value alone")) << ran.err;
}

TEST_F(Claims, PlusAndMinusInfinityAreDifferentCategories) {
  write_column("t.csv", [](int i) { return i % 3 == 0 ? "inf" : i % 3 == 1 ? "-inf" : "2"; });
  const Ran ran = run("train t.csv --target y --task regression --dry-run --type c=category");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(has(ran.err, "the same number")) << ran.err;
}

TEST_F(Claims, ColumnsOfPredictionsDoNotClashWithThoseOfTheData) {
  write("c.csv", "x,k\n1,u\n2,v\n3,u\n4,v\n5,u\n6,v\n7,u\n8,v\n9,u\n10,v\n11,u\n12,v\n");
  ASSERT_EQ(run("train c.csv --target k --features x --epochs 1 --quiet").code, 0);
  const std::string rows = "printf 'x,k,predicted k,p(u),probabilities\\n1,u,w,2,y\\n' | " + command();
  EXPECT_TRUE(shell(rows + " predict runs/c --keep '*'")
                  .out.starts_with("x,k,predicted k,p(u),probabilities,predicted predicted k,predicted p(u),p(v)\n"));
  const auto object = shell(rows + " predict runs/c --keep '*' --json").json();
  EXPECT_EQ(object["predicted k"], "w");
  EXPECT_EQ(object["probabilities"], "y");
  EXPECT_EQ(object["predicted probabilities"].size(), 2U);
  EXPECT_EQ(run("predict runs/c --data c.csv --top 3").code, 2);
  for (const char* target : {"probabilities", "p(u)"}) {
    write("d.csv", std::string("x,") + target + "\n1,u\n2,v\n3,u\n4,v\n5,u\n6,v\n7,u\n8,v\n9,u\n10,v\n");
    ASSERT_EQ(run(std::string("train d.csv --target '") + target + "' --features x --epochs 1 --quiet --out d").code,
              0);
    const Ran json = run("predict d --data d.csv --json"), csv = run("predict d --data d.csv");
    EXPECT_EQ(json.code, 0) << json.err;
    EXPECT_TRUE(
        csv.out.starts_with(std::string(target) + (target[0] == 'p' && target[1] == '(' ? ",predicted p(u)" : ",p(u)")))
        << csv.out;
    std::filesystem::remove_all(path("d"));
  }
}

TEST_F(Claims, LrRefusesAMethodWithoutALearningRate) {
  write_table("t.csv");
  const Ran ran = run("lr t.csv --target y --optimizer lbfgs");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.err, "lbfgs takes no rate")) << ran.err;
}

TEST_F(Claims, AFitNamesTheConstantEAndPrintsADashForUnknownErrors) {
  write("t.csv", "e,x,y\n1,1,2\n2,2,4.1\n");
  const Ran constant = run("fit 'a*x + b*e' t.csv");
  EXPECT_EQ(constant.code, 2);
  EXPECT_TRUE(has(constant.err, "'e' in 'y = a*x + b*e' is the number e")) << constant.err;
  const Ran exact = run("fit 'a*x + b*1e0' t.csv --target y");
  ASSERT_EQ(exact.code, 0) << exact.err;
  EXPECT_FALSE(has(exact.out, "nan")) << exact.out;
  EXPECT_TRUE(has(exact.out, "deviation   -, with 0 degrees of freedom")) << exact.out;
}

TEST_F(Claims, MinimizeNamesTheKindOfPointWhereItEnds) {
  EXPECT_TRUE(has(run("minimize 'x^2 - y^2' --x0 0,0").out, "point       A saddle"));
  EXPECT_TRUE(has(run("minimize 'x' --x0 1 --steps 10").out, "point       A slope"));
  // for large losses, far starts, and curvatures that are small compared with the largest
  const std::pair<const char*, const char*> points[] = {
      {"'1e8*x^2-y^2' --x0 1,0 --optimizer lbfgs", "A saddle"},
      {"'x^2-y^4' --x0 1,0 --optimizer lbfgs", "A saddle"},
      {"'cos(x)' --x0 0 --optimizer lbfgs", "A maximum"},
      {"'x^2+1000' --x0 1 --optimizer sgd --lr 1e-4 --steps 10", "The learning rate is too low"},
      {"'(x-3)^2-1e6' --x0 1 --optimizer adam --lr 1e-3 --steps 10", "A slope"},
      {"'x^2+1e6' --x0 1 --optimizer sgd --lr 1e-4 --steps 10",
       "The learning rate is too low: one step of 0.5 would take 0.996 off"},
      {"'x^2' --x0 1000 --optimizer sgd --lr 0.1 --steps 36", "A slope"},
      {"'1e8*x^2+(y-5)^2' --x0 1,0 --optimizer sgd --lr 5e-9 --steps 100", "A plateau: the curvature"},
      {"quadratic --dim 50 --set problem.condition=1e6 --optimizer lbfgs", "A minimum: eigenvalues from 1 to 1e6"}};
  for (const auto& [arguments, says] : points) {
    const std::string out = run(std::string("minimize ") + arguments).out;
    EXPECT_TRUE(has(out, std::string("point       ") + says)) << arguments << '\n' << out;
  }
  const Ran bounded = run("minimize '(x - 1)^2' --x0 5 --lower 2");
  EXPECT_TRUE(has(bounded.out, "gradient    0, without components that point out of the bounds")) << bounded.out;
}

TEST_F(Claims, ALandscapeSaysWhereItIsNotFinite) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const Ran narrow = run("landscape runs/t --points 5 --random-only");
  const Ran wide = run("landscape runs/t --points 5 --span 1e300 --random-only");
  EXPECT_TRUE(has(wide.out, "and is not finite at 24 of 25 places")) << wide.out;
  EXPECT_FALSE(has(narrow.out, "not finite")) << narrow.out;
}

TEST_F(Claims, ARateThatIsTooLowIsNotBlamedOnTheData) {
  write_table("t.csv");
  const std::string slow = run("train t.csv --target y --epochs 30 --lr 1e-7").out;
  EXPECT_TRUE(has(slow, "verdict     Crawling: the learning rate is too low.")) << slow;
  const Ran ran = run("train t.csv --target y --epochs 30 --lr 1e-12");  // too low to change any parameter
  EXPECT_TRUE(has(ran.out, "verdict     Learned nothing")) << ran.out;
  EXPECT_TRUE(has(ran.out, "a linear model learned it")) << ran.out;
  std::string text = "a,y\n";
  for (int i = 0; i < 120; ++i)
    text += std::to_string(i * 37 % 120) + ".5," + std::to_string(i * i * 53 % 120) + ".25\n";
  write("chance.csv", text);
  EXPECT_FALSE(has(run("train chance.csv --target y --epochs 30").out, "a linear model learned it"));
}

TEST_F(Claims, CommandsForSystemsRefuseARunOfAModel) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const Ran ran = run("play runs/t");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.err, "holds a model of kind tabular")) << ran.err;
  EXPECT_EQ(run("play runs/t --seed -1").code, 2);
  EXPECT_TRUE(has(run("generate runs/t --seed -1").err, "--seed: -1. Wanted: >= 0"));
}

TEST_F(Claims, AnOptionThatOnlyThePerceptronHasChoosesThePerceptron) {
  write_table("t.csv");
  const auto config = [&](const std::string& options) {
    return run("train t.csv --target y --print-config " + options).out;
  };
  EXPECT_TRUE(has(config(""), "kind = \"tabular\""));
  EXPECT_TRUE(has(config("--set model.hidden=[16]"), "kind = \"tabular\""));
  const std::string perceptron = config("--set model.hidden=[16] --set model.norm=batch");
  EXPECT_TRUE(has(perceptron, "kind = \"mlp\"") && has(perceptron, "epochs = 100")) << perceptron;
  EXPECT_TRUE(has(run("train t.csv --target y --set model.norn=batch").err, "[tabular] unknown key 'norn'"));
}

TEST_F(Claims, HeldOutRowsThatAreAlsoTrainingRowsAreReported) {
  std::string rows = "a,y\n";
  for (int i = 0; i < 300; ++i) rows += std::to_string(i % 30) + ".5," + std::to_string(i % 30 * 7 % 11) + "\n";
  write("twice.csv", rows);
  EXPECT_TRUE(has(run("train twice.csv --target y --task regression --epochs 1").err,
                  "validation: 30 of 30 rows are also training rows"));
  write_table("t.csv", 300);
  EXPECT_FALSE(has(run("train t.csv --target y --epochs 1").err, "are also training rows"));
}

TEST_F(Claims, LayersHaveAnEffectOnAPiecewiseLinearLoss) {
  write_table("t.csv", 400);
  ASSERT_EQ(run("train t.csv --target y --loss mae --epochs 10 -q --out r").code, 0);
  const Ran looked = run("inspect r --curvature");
  ASSERT_EQ(looked.code, 0) << looked.err;
  EXPECT_FALSE(has(looked.out, "have no effect on the loss")) << looked.out;
}

}  // namespace
}  // namespace thalweg::testing
