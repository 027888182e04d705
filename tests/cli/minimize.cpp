// `thalweg minimize`, run as a user runs it.

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "command.hpp"
#include "places.hpp"
#include "thalweg/command.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/problem.hpp"

namespace thalweg::testing {
namespace {

class MinimizeCommand : public CommandTest {
 protected:
  void expect_error(const std::string& arguments, int code, std::initializer_list<const char*> words) const {
    const Ran ran = run("minimize " + arguments);
    EXPECT_EQ(ran.code, code) << arguments << ran.out << ran.err;
    EXPECT_EQ(ran.err.rfind("thalweg: ", 0), 0u) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    for (const char* word : words) EXPECT_NE(ran.err.find(word), std::string::npos) << word << " in: " << ran.err;
  }

  [[nodiscard]] std::vector<std::string> lines(const std::string& name) const {
    std::istringstream text(read_text(path(name)));
    std::vector<std::string> all;
    for (std::string line; std::getline(text, line);) all.push_back(line);
    return all;
  }
};

TEST_F(MinimizeCommand, RosenbrockWithoutOptionsReachesTheMinimum) {
  const Ran ran = run("minimize rosenbrock");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  for (const char* word : {"by adam, lr", "--lr sets it", "(1, 1)", "known       0 at (1, 1)",
                           "ended       the gradient is small enough\n", "point       A minimum: eigenvalues from "}) {
    EXPECT_NE(ran.out.find(word), std::string::npos) << word << " in: " << ran.out;
  }
}

TEST_F(MinimizeCommand, AtASaddleTheDescentDirectionIsNamed) {
  const std::string walk = "minimize saddle --x0 1,0 --optimizer sgd --lr 0.1";
  const Ran ran = run(walk);
  for (const char* word : {"point       A saddle: ", "the smallest eigenvalue is -2", "leads on    (0, 1): --x0 "})
    EXPECT_NE(ran.out.find(word), std::string::npos) << word << " in: " << ran.out;
  const auto point = run(walk + " --json").json()["point"];
  EXPECT_EQ(point["kind"], "saddle");
  EXPECT_NEAR(std::abs(point["direction"][1].get<double>()), 1, 1e-6);
  const std::string begin = ran.out.substr(ran.out.find("--x0 ") + 5);
  EXPECT_NEAR(run("minimize saddle --optimizer sgd --lr 0.1 --json --x0 " + begin.substr(0, begin.find('\n')))
                  .json()["value"]
                  .get<double>(),
              -0.5, 1e-9);
}

TEST_F(MinimizeCommand, ADivergedMinimisationPrintsItsRateAndTheBoundOfStableRates) {
  const Ran ran = run("minimize \"x^2+10*y^2\" --x0 1,1 --optimizer sgd --lr 0.2");
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.err.find("lr is 0.2, and 2 / the largest eigenvalue at the start 0.1"), std::string::npos) << ran.err;
}

TEST_F(MinimizeCommand, JsonIsTheOnlyOutputAndHasItsKeys) {
  const Ran ran = run("minimize rosenbrock --json --explain");
  ASSERT_EQ(ran.code, 0);
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1);
  const auto json = ran.json();
  EXPECT_EQ(json["function"], "rosenbrock");
  EXPECT_EQ(json["optimizer"], "adam");
  EXPECT_TRUE(json["steps"].is_number_integer());
  EXPECT_EQ(json["evaluations"], json["steps"].get<int>() + 1);
  EXPECT_LT(json["value"].get<double>(), 1e-15);
  EXPECT_LE(json["gradient_norm"].get<double>(), 1e-8);
  ASSERT_EQ(json["x"].size(), 2u);
  EXPECT_NEAR(json["x"][0].get<double>(), 1, 1e-6);
  EXPECT_EQ(json["criterion_met"], true);
  EXPECT_EQ(json["reason"], "gradient_norm");
}

TEST_F(MinimizeCommand, EveryProblemRuns) {
  for (const ProblemRow& row : problems()) {
    const Ran ran = run("minimize " + std::string(row.name) + " --json --svg picture.svg");
    ASSERT_EQ(ran.code, 0) << row.name << ran.err;
    const auto json = ran.json();
    EXPECT_TRUE(json["criterion_met"] == true || row.name == "ackley")
        << json.dump();  // ackley has a kink at its minimum
    const std::string svg = read_text(path("picture.svg"));
    EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    EXPECT_EQ(svg.find("nan"), std::string::npos) << row.name;
  }
}

TEST_F(MinimizeCommand, TheTraceBeginsAtTheStart) {
  ASSERT_EQ(run("minimize 'x^2 + 10*y^2' --x0 1,-2 --optimizer sgd --lr 0.05 --steps 3 --trace t.csv").code, 0);
  const auto rows = lines("t.csv");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0], "step,value,gradient_norm,lr,x0,x1");
  EXPECT_EQ(rows[1].rfind("0,41,", 0), 0u) << rows[1];
  EXPECT_TRUE(rows[1].ends_with(",0.05,1,-2")) << rows[1];
  EXPECT_TRUE(rows[2].ends_with(",0.05,0.9,0")) << rows[2];  // x - 0.05 * 2 x, y - 0.05 * 20 y
  EXPECT_EQ(rows[4].rfind("3,", 0), 0u);
}

TEST_F(MinimizeCommand, StoppingRulesAreOptions) {
  const auto reason = [&](const std::string& arguments) {
    const Ran ran = run("minimize 'x^2' --optimizer sgd --lr 0.1 --json " + arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json()["reason"].get<std::string>();
  };
  EXPECT_EQ(reason("--steps 5"), "max_steps");
  EXPECT_EQ(reason("--max-steps 5"), "max_steps");
  EXPECT_EQ(reason("--value 0.1"), "value");
  EXPECT_EQ(reason("--value-change 1e-3"), "value_change");
  EXPECT_EQ(reason("--gradient-norm 0.5"), "gradient_norm");
  EXPECT_EQ(run("minimize 'x^2' --lr 0.1 --optimizer sgd --steps 5 --json").json()["steps"], 5);
}

TEST_F(MinimizeCommand, StaysWithinBoundsAndConvergesThere) {
  const auto json = run("minimize 'x^2 + y^2' --x0 2,2 --lower 1,-5 --upper 3 --optimizer sgd --lr 0.1 --json").json();
  EXPECT_EQ(json["x"][0], 1.0);
  EXPECT_NEAR(json["x"][1].get<double>(), 0, 1e-7);
  EXPECT_EQ(json["reason"], "gradient_norm");
}

TEST_F(MinimizeCommand, OptionsReachTheProblemTheMethodAndTheSchedule) {
  const auto start = [&](const std::string& arguments) {
    EXPECT_EQ(run("minimize " + arguments + " --steps 2 --trace t.csv -q").code, 0) << arguments;
    return lines("t.csv");
  };
  EXPECT_EQ(start("quadratic --x0 1 --set problem.condition=1e4 --lr 0.1")[1].rfind("0,5000.5,", 0), 0u);
  EXPECT_EQ(start("sphere --dim 5 --x0 2 --lr 0.1")[1].rfind("0,20,", 0), 0u);
  const auto momentum = start("'x^2' --optimizer sgd --lr 0.1 --set optimizer.momentum=0.5");
  EXPECT_TRUE(momentum[3].ends_with(",0.54")) << momentum[3];  // 0.8 - 0.1 (1.6 + 0.5 * 2)
  const auto cosine = start("'x^2' --optimizer sgd --lr 0.1 --schedule cosine");
  EXPECT_NE(cosine[3].find(",0.05,"), std::string::npos) << cosine[3];
  EXPECT_EQ(run("minimize rosenbrock --dtype f32 --json").json()["criterion_met"], true);
}

TEST_F(MinimizeCommand, ThereIsNoWeightDecayUnlessAskedFor) {
  EXPECT_LT(run("minimize rosenbrock --optimizer adamw --lr 0.1 --json").json()["value"].get<double>(), 1e-12);
  EXPECT_GT(run("minimize rosenbrock --optimizer adamw --lr 0.1 --set optimizer.weight_decay=0.1 --json")
                .json()["value"]
                .get<double>(),
            1e-6);
}

TEST_F(MinimizeCommand, ExplainReadsLikeATextbook) {
  const std::string sgd = run("minimize 'x^2 + 10*y^2' --optimizer sgd --lr 0.05 --explain=2 --steps 2").out;
  for (const char* line : {"step 1: x = 1, y = 1, f = 11\n", "df/dx = 2*x = 2*1 = 2\n", "df/dy = 20*y = 20*1 = 20\n",
                           "x' = x - lr*g\n", "x: 1 - 0.05*2 = 0.9\n", "y: 1 - 0.05*20 = 0\n",
                           "step 2: x = 0.9, y = 0, f = 0.81\n", "x: 0.9 - 0.05*1.8 = 0.81\n"}) {
    EXPECT_NE(sgd.find(line), std::string::npos) << line << " in:\n" << sgd;
  }
  EXPECT_EQ(sgd.find("step 3"), std::string::npos);
  const std::string adam = run("minimize 'x^2 + 10*y^2' --lr 0.02 --explain=1 --steps 2").out;
  for (const char* line : {"m' = beta1*m + (1 - beta1)*g\n", "x: 0.9*0 + (1 - 0.9)*2 = 0.2\n",
                           "v' = beta2*v + (1 - beta2)*g^2\n", "y: 0.999*0 + (1 - 0.999)*20^2 = 0.4\n",
                           "x' = x - lr*m'/((1 - beta1^t)*(sqrt(v')/sqrt(1 - beta2^t) + eps))\n"}) {
    EXPECT_NE(adam.find(line), std::string::npos) << line << " in:\n" << adam;
  }
}

/// The values of the lines "  NAME: ... = VALUE" after the line "x' = " of a step: what stands behind the last `=` or
/// `:`.
std::vector<double> updated(const std::string& text, int step) {
  const auto begin = text.find("    x'", text.find("step " + std::to_string(step) + ":"));
  std::vector<double> values;
  std::istringstream block(text.substr(begin));
  std::string line;
  std::getline(block, line);
  while (std::getline(block, line) && line.rfind("      ", 0) == 0) {
    values.push_back(std::stod(line.substr(line.find_last_of("=:") + 1)));
  }
  return values;
}

TEST_F(MinimizeCommand, ExplainShowsTheStepOfEveryMethod) {
  for (const OptimizerRow& row : optimizers()) {
    if (row.owns_steps || row.needs.size() > 1) continue;
    const std::string arguments =
        "minimize himmelblau --x0 1,2 --lr 0.01 --steps 3 --optimizer " + std::string(row.name);
    const Ran ran = run(arguments + " --explain=3 --trace t.csv");
    ASSERT_EQ(ran.code, 0) << row.name << ran.err;
    const auto rows = lines("t.csv");
    for (int step = 1; step <= 3; ++step) {
      const std::vector<double> said = updated(ran.out, step);
      const std::string& row_text = rows[static_cast<std::size_t>(step) + 1];
      const auto comma = row_text.rfind(',');
      ASSERT_EQ(said.size(), 2u) << row.name << "\n" << ran.out;
      EXPECT_NEAR(said[1], std::stod(row_text.substr(comma + 1)), 2e-5) << row.name << " " << step;
    }
  }
}

TEST_F(MinimizeCommand, MethodsThatOwnTheirStepsNeedNoRate) {
  for (const OptimizerRow& row : optimizers()) {
    if (!row.owns_steps) continue;
    const std::string name(row.name);
    const auto json = run("minimize rosenbrock --optimizer " + name + " --json").json();
    EXPECT_LT(json["value"].get<double>(), 1e-12) << name;
    EXPECT_TRUE(json["lr"].is_null());
    EXPECT_EQ(json["reason"], "gradient_norm") << name;
    expect_error("rosenbrock --lr 0.1 --optimizer " + name, 2, {name.c_str(), "leave out --lr"});
    expect_error("rosenbrock --schedule cosine --optimizer " + name, 2, {name.c_str(), "leave out the schedule"});
    expect_error("rosenbrock --explain --optimizer " + name, 2, {name.c_str(), "--trace"});
  }
  expect_error("ackley --optimizer levenberg_marquardt", 2, {"Gauss-Newton matrix", "a function without residuals"});
  expect_error("rosenbrock --upper 0.5 --optimizer newton_cg", 2, {"keep no bounds", "lbfgs"});
  EXPECT_EQ(run("compare rosenbrock --optimizers lbfgs").code, 2);
}

TEST_F(MinimizeCommand, ErrorsNameTheMistake) {
  expect_error("rosenbrok", 2, {"there is no problem 'rosenbrok'", "did you mean 'rosenbrock'"});
  expect_error("'x +'", 2, {"[formula] column 4"});
  expect_error("'2 + 3'", 2, {"no variable"});
  expect_error("'x^2' --x0 1,2", 2, {"[--x0] 2 numbers for 1 dimensions"});
  expect_error("'x^2' --x0 1e-3x", 2, {"[--x0] '1e-3x'"});
  expect_error("'x^2' --x0 nan", 2, {"[--x0] 'nan'"});
  expect_error("booth --dim 3", 2, {"[booth] dim = 3", "2"});
  expect_error("'x^2 + y' --dim 3", 2, {"dim = 3", "2 variables (x, y)"});
  expect_error("sphere --lr 0", 2, {"lr = 0", "> 0"});
  expect_error("sphere --lr nan", 2, {"lr = nan"});
  expect_error("sphere --lr 1e-3x", 2, {"lr = 1e-3x"});
  expect_error("sphere --optimizer adamm", 2, {"did you mean 'adam"});
  expect_error("sphere --schedule cosin", 2, {"did you mean 'cosine'"});
  expect_error("sphere --schedule reduce_on_plateau", 2, {"epochs"});
  expect_error("sphere --set optimizer.beat1=1", 2, {"unknown key 'beat1'", "'beta1'"});
  expect_error("sphere --set problem.condition=2", 2, {"[sphere]", "'condition'"});
  expect_error("'x^2' --set problem.condition=2", 2, {"problem.condition", "formula"});
  expect_error("sphere --set beta1=0.5", 2, {"unknown key 'beta1'", "optimizer, schedule, problem"});
  expect_error("sphere --set optimizer.beta1", 2, {"'optimizer.beta1' is not KEY=VALUE"});
  expect_error("sphere --gradient-norm -1", 2, {"gradient_norm = -1", ">= 0"});
  expect_error("sphere --steps 0", 2, {"max_steps = 0", ">= 1"});
  expect_error("sphere --lower 2 --upper 1", 2, {"lower = 2 above upper = 1"});
  expect_error("sphere --dtype f16", 2, {"--dtype"});
  expect_error("sphere --dim 3 --svg p.svg", 2, {"3 dimensions", "--trace"});
  expect_error("sphere --lrr 1", 2, {"did you mean --lr"});
  expect_error("", 2, {"function is required"});
  expect_error("sphere --lr 0.1 --steps 3 -q --trace nowhere/t.csv", 6, {"nowhere/t.csv"});
  expect_error("sphere --lr 0.1 --steps 3 -q --svg nowhere/p.svg", 6, {"nowhere"});
  ASSERT_EQ(shell("mkfifo pipe").code, 0);  // opening it would wait for a reader
  expect_error("sphere --lr 0.1 --steps 3 -q --trace pipe", 6, {"pipe", "nobody reads"});
  expect_error("sphere --lr 0.1 --steps 3 -q --svg pipe", 6, {"pipe", "nobody reads"});
  if (std::filesystem::exists("/dev/full")) {
    expect_error("sphere --lr 0.1 -q --trace /dev/full", 6, {"/dev/full"});
  }
}

TEST_F(MinimizeCommand, ATraceGoesIntoAPipeThatIsRead) {
  const Ran ran = shell("mkfifo pipe; exec 3<>pipe; " + command() +
                        " minimize sphere --dim 1 --lr 0.1 --steps 3 -q --trace pipe >&2 && head -n 5 <&3");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.substr(0, ran.out.find('\n')), "step,value,gradient_norm,lr,x0");
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 5) << ran.out;
}

TEST_F(MinimizeCommand, NumbersThatAreNotFiniteAreExitCodeFive) {
  expect_error("'log(x)' --x0 -1 -q", 5, {"step 0", "nan", "'log'", "--x0"});
  expect_error("'x^2' --optimizer sgd --lr 3 -q", 5, {"inf", "a lower --lr"});
  expect_error("'(-x^2)' --optimizer sgd --lr 1 -q", 5, {"bounded below"});
  expect_error("rosenbrock --optimizer hypergradient --lr 1 -q", 5, {"optimizer.trust=0.1"});
  expect_error("'sqrt(x^2)' --x0 1 --optimizer newton_cg -q", 5, {"Hint: start elsewhere: --x0"});
  const Ran ran = run("minimize '1/x^2' --x0 0 --json");
  EXPECT_EQ(ran.code, 5);
  EXPECT_EQ(ran.json()["reason"], "not_finite");
  EXPECT_EQ(ran.json()["criterion_met"], false);
  EXPECT_TRUE(ran.json()["value"].is_null());
}

TEST(MinimizeWithARegistry, AUsersMethodWorksLikeABuiltInOne) {
  OptimizerRow row = optimizer_named("lion");
  const Registry registry = thalweg::registry().add_optimizer("my_lion", row);
  const char* const arguments[] = {"thalweg", "minimize", "himmelblau", "--optimizer", "my_lion",
                                   "--lr",    "0.1",      "--steps",    "20",          "--explain=1"};
  ::testing::internal::CaptureStdout();
  const int code = command(10, arguments, registry);
  const std::string out = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(code, 0);
  EXPECT_NE(out.find("x' = x - lr*sign(beta1*m + (1 - beta1)*g)"), std::string::npos) << out;
}

TEST_F(MinimizeCommand, AnInterruptEndsItCleanly) {
  const Ran ran = shell("timeout --preserve-status -s INT 1 " + command() +
                        " minimize rosenbrock --dim 20000 --lr 1e-6 --steps 100000000 --json");
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_EQ(ran.json()["reason"], "stop_requested");
}

}  // namespace
}  // namespace thalweg::testing
