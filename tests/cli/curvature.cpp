// thalweg inspect --curvature: its statements about a run, and the calls that it refuses.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class CurvatureCommand : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    write_table("t.csv");
    ASSERT_EQ(run("train t.csv --target y --optimizer sgd --lr 0.05 --epochs 3 --set optimizer.momentum=0.5 "
                  "--set model.hidden=[8] --out r")
                  .code,
              0);
  }
};

TEST_F(CurvatureCommand, SaysEigenvaluesAndTraceWithTheirErrors) {
  const Ran ran = run("inspect r --curvature --rows all");
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* part :
       {"largest", "smallest", "2 / largest", "with momentum 0.5 the bound is", "trace", " +- ", "point       "})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << " in:\n" << ran.out;
  EXPECT_EQ(ran.out.find("density"), std::string::npos);
}

TEST_F(CurvatureCommand, IsTheSameForAnyThreadsAndAgreesWithItself) {
  const std::string command = "inspect r --curvature --density --json";
  const Ran one = run(command + " --threads 1"), two = run(command + " --threads 2");
  EXPECT_EQ(one.out, two.out);
  const auto json = one.json();
  EXPECT_TRUE(json["converged"]);
  EXPECT_GT(json["largest"]["value"], json["smallest"]["value"]);
  double mass = 0;
  for (const auto& node : json["density"][0]) mass += node[1].get<double>();
  EXPECT_NEAR(mass, 1, 1e-12);
}

TEST_F(CurvatureCommand, ARunThatDivergesPrintsItsRateAndTheBoundOfStableRates) {
  const Ran ran = run("train t.csv --target y --optimizer sgd --lr 1000 --epochs 3 --out d");
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.out.find("2 / the largest eigenvalue of the Hessian was "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("; the rate was "), std::string::npos) << ran.out;
}

TEST_F(CurvatureCommand, LooksDuringTrainingDoNotChangeTheModelsBits) {
  const std::string command = "train t.csv --target y --optimizer adam --lr 1e-2 --epochs 6 --set model.hidden=[8]";
  const std::string looks = " --set insight.every=2 --set insight.budget=1 --set insight.largest=true";
  ASSERT_EQ(run(command + looks + " --out looked").code, 0);
  ASSERT_EQ(run(command + " --out plain").code, 0);
  EXPECT_EQ(read_text(path("looked/model.safetensors")), read_text(path("plain/model.safetensors")));
  EXPECT_NE(read_text(path("looked/metrics.jsonl")).find("\"look\":{"), std::string::npos);
  EXPECT_EQ(read_text(path("plain/metrics.jsonl")).find("\"look\":{"), std::string::npos);
  for (const char* part : {"Looks at the run", "gradient noise scale, rows", "update over weight", "effective rate of"})
    EXPECT_NE(read_text(path("looked/report.html")).find(part), std::string::npos) << part;
  EXPECT_EQ(run(command + " --set insight.budget=0").code, 2);
}

TEST_F(CurvatureCommand, AResumedRunTakesTheLookOfItsFirstStep) {
  const std::string command = "train t.csv --target y --epochs 6 --set model.hidden=[8] --set insight.every=7 --quiet";
  ASSERT_EQ(run(command + " --out whole").code, 0);
  ASSERT_EQ(run(command + " --out parts --stop-after 6").code, 0);
  ASSERT_EQ(run("train parts --resume --quiet").code, 0);
  const auto look = [&](const std::string& folder) {  // of step 7: the first look is taken whatever the time budget is
    const std::string line = shell("grep '^{\"step\":7,.*\"look\"' " + folder + "/metrics.jsonl").out;
    return line.empty() ? nlohmann::json() : nlohmann::json::parse(line)["look"];
  };
  ASSERT_TRUE(look("whole").is_object());
  EXPECT_EQ(look("parts"), look("whole"));
}

TEST_F(CurvatureCommand, WarnsThatAnIntervalLongerThanTheRunGivesNoLook) {
  const std::string command = "train t.csv --target y --epochs 2 --set model.hidden=[8] --out n --set insight.every=";
  const Ran never = run(command + "'3 epochs'"), once = run(command + "'2 epochs'");
  EXPECT_EQ(never.code, 0);
  EXPECT_NE((never.out + never.err).find("[insight] every = 3 epochs is longer than the run"), std::string::npos)
      << never.out << never.err;
  EXPECT_EQ((once.out + once.err).find("longer than the run"), std::string::npos) << once.out << once.err;
}

TEST_F(CurvatureCommand, AFullBatchTrainingStopsOnSignalsAndResumesWithTheSameBits) {
  write_table("many.csv", 4000);
  const std::string train =
      "train many.csv --target y --model mlp --set model.hidden=[40,40] --optimizer lbfgs "
      "--set train.early_stopping=false --threads 1 --epochs 2000000";
  for (const auto& [signal, code] : {std::pair{"INT", 130}, {"TERM", 143}}) {
    const std::string out = std::string("stopped_by_") + signal;
    const Ran ran = shell("timeout --preserve-status -s " + std::string(signal) + " 2 " + command() + " " + train +
                          " --out " + out);
    ASSERT_EQ(ran.code, code) << ran.out << ran.err;
    EXPECT_NE(ran.out.find("stopped at step "), std::string::npos) << ran.out;
    const std::size_t at = ran.out.find("stopped at step ") + 16;
    std::string digits;
    for (std::size_t i = at; std::isdigit(static_cast<unsigned char>(ran.out[i])) || ran.out[i] == ','; ++i) {
      if (ran.out[i] != ',') digits += ran.out[i];
    }
    const std::string later = std::to_string(std::stoll(digits) + 5);
    ASSERT_EQ(run("train " + out + " --resume --stop-after " + later).code, 0);
    ASSERT_EQ(run(train + " --out whole_" + signal + " --stop-after " + later).code, 0);
    const auto newest = [&](const std::string& folder) {
      return shell("ls -d " + folder + "/checkpoints/step-*[0-9] | sort -V | tail -n 1").out;
    };
    std::string one = newest(out), two = newest("whole_" + std::string(signal));
    one.pop_back(), two.pop_back();
    EXPECT_EQ(shell("cmp " + one + "/state.safetensors " + two + "/state.safetensors").code, 0) << one << two;
  }
}

TEST_F(CurvatureCommand, RefusesTablesAndInvalidOptions) {
  EXPECT_EQ(run("inspect t.csv --curvature").code, 2);
  EXPECT_EQ(run("inspect r --curvature --rows 0").code, 2);
  EXPECT_EQ(run("inspect r --density").code, 2);  // needs --curvature
  write_table("t.csv", 3);
  EXPECT_EQ(run("inspect r --curvature").code, 3);
}

}  // namespace
}  // namespace thalweg::testing
