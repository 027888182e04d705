// The search for a learning rate, by `thalweg lr` and by lr = "auto" at the start of a run.

#include "command.hpp"

#include <filesystem>

namespace thalweg::testing {
namespace {

class Lr : public CommandTest {
 protected:
  Lr() { write_table("t.csv"); }
  static constexpr const char* table = "lr t.csv --target y --epochs 5 ";

  [[nodiscard]] std::string config_of(const std::string& run) const { return read_text(path(run + "/config.toml")); }
  [[nodiscard]] static std::string lr_in(const std::string& config) {
    const auto at = config.find("\nlr = ") + 6;
    return config.substr(at, config.find('\n', at) - at);
  }
};

TEST_F(Lr, ShowsTheCurveTheSuggestionsAndTheCost) {
  const Ran ran = run(table);
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* word : {"range test of t", "trials", "steepest", "valley", "minimum / 10", "<- lowest", "cost",
                           " steps, ", " rows, ", "thalweg train t.csv --lr "}) {
    EXPECT_NE(ran.out.find(word), std::string::npos) << word << " in:\n" << ran.out;
  }
  EXPECT_FALSE(std::filesystem::exists(path("runs")));
}

TEST_F(Lr, JsonHasCurveSuggestionsTrialsAndCost) {
  const auto result = run(std::string(table) + "--steps 60 --start 1e-5 --end 1 --trials 4 --json").json();
  EXPECT_EQ(result["curve"].size(), 60U);
  EXPECT_DOUBLE_EQ(result["curve"][0]["lr"].get<double>(), 1e-5);
  EXPECT_EQ(result["suggestions"][0]["name"], "trials");
  EXPECT_EQ(result["suggestions"][0]["lr"], result["lr"]);
  EXPECT_EQ(result["suggestions"].size(), 4U);
  EXPECT_LE(result["trials"].size(), 4U);
  EXPECT_EQ(result["steps"].get<int>(),
            60 + static_cast<int>(result["trials"].size()) * result["trial_steps"].get<int>());
  EXPECT_GT(result["samples"].get<int>(), 0);
}

TEST_F(Lr, WritesTheCurveAsCsvAndSvg) {
  const Ran ran = run(std::string(table) + "--steps 50 --end 0.1 --trials 0 --csv --svg lr.svg");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.substr(0, 24), "step,lr,loss,smoothed\n1,");
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 51);
  const std::string svg = read_text(path("lr.svg"));
  EXPECT_EQ(svg.substr(0, 4), "<svg");
  EXPECT_NE(svg.find("steepest"), std::string::npos);
}

TEST_F(Lr, AnotherSeedGivesAnotherSweep) {
  const std::string command = std::string(table) + "--trials 0 --csv ";
  EXPECT_EQ(run(command).out, run(command + "--seed 1").out);
  EXPECT_NE(run(command).out, run(command + "--seed 2").out);
}

TEST_F(Lr, TakesTheOverridesOfTrain) {
  const Ran ran =
      run(std::string(table) + "--optimizer sgd --set model.hidden=[4] --set optimizer.momentum=0.9 --json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(run(std::string(table) + "--optimizer sdg").code, 2);
}

TEST_F(Lr, ErrorsNameTheMistake) {
  const Ran steps = run(std::string(table) + "--steps 2");
  EXPECT_EQ(steps.code, 2);
  EXPECT_NE(steps.err.find("[find_lr] steps = 2. Wanted: >= 10"), std::string::npos) << steps.err;
  const Ran range = run(std::string(table) + "--start 1 --end 0.5");
  EXPECT_EQ(range.code, 2);
  EXPECT_NE(range.err.find("end = 0.5"), std::string::npos) << range.err;
  EXPECT_EQ(run(std::string(table) + "--trial ten").code, 2);
  EXPECT_EQ(run("lr nothing.csv --target y").code, 2);
  EXPECT_EQ(run(std::string(table) + "--svg /proc/x.svg").code, 6);
}

TEST_F(Lr, AutoFindsARatePrintsItAndSavesIt) {
  const Ran ran = run("train t.csv --target y --epochs 5 --lr auto");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string lr = lr_in(config_of("runs/t"));
  EXPECT_NE(ran.err.find("lr = " + lr + ", found in "), std::string::npos) << ran.err;
  const auto found = run(std::string(table) + "--json").json()["lr"].get<double>();
  EXPECT_EQ(std::stod(lr), found);
  ASSERT_EQ(run("train t.csv --target y --epochs 5 --lr " + lr + " --quiet --out same").code, 0);
  EXPECT_EQ(config_of("same"), config_of("runs/t"));
  EXPECT_EQ(read_text(path("same/model.safetensors")), read_text(path("runs/t/model.safetensors")));
}

TEST_F(Lr, AutoFindsTheRateOfAMethodThatIsWrapped) {
  const Ran ran = run("train t.csv --target y --epochs 5 --optimizer sam --lr auto");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string lr = lr_in(ran.err.substr(ran.err.rfind("\nlr = ")));
  EXPECT_NE(config_of("runs/t").find(" lr = " + lr.substr(0, lr.find(',')) + ", maximize"), std::string::npos) << lr;
}

TEST_F(Lr, ARunWithAutoIsResumedWithTheRateThatWasFound) {
  write("a.toml",
        "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[optimizer]\nkind = \"sgd\"\nlr = \"auto\"\n[train]\nepochs = 6\n");
  ASSERT_EQ(run("train a.toml --quiet --out whole").code, 0);
  ASSERT_EQ(run("train a.toml --quiet --out parts --stop-after 5").code, 0);
  const Ran resumed = run("train a.toml --out parts --resume");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.err.find("looking for"), std::string::npos) << resumed.err;
  EXPECT_EQ(read_text(path("parts/model.safetensors")), read_text(path("whole/model.safetensors")));
}

TEST_F(Lr, PrintConfigPrintsAutoItself) {
  EXPECT_EQ(lr_in(run("train t.csv --target y --lr auto --print-config").out), "\"auto\"");
  const Ran other = run("train t.csv --target y --lr automatic");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("lr = \"automatic\""), std::string::npos) << other.err;
}

TEST_F(Lr, InvalidLengthsOfTrialsAreRefused) {
  for (const char* trial : {"0%", "200%", "0"}) {
    const Ran ran = run("lr t.csv --target y --trial " + std::string(trial));
    EXPECT_EQ(ran.code, 2) << trial;
    EXPECT_NE(ran.err.find("trial = "), std::string::npos) << ran.err;
  }
}

TEST_F(Lr, EachFoldFindsItsOwnRate) {
  const Ran ran = run("train t.csv --target y --epochs 2 --lr auto --cv 3");
  ASSERT_EQ(ran.code, 0) << ran.err;
  int found = 0;
  for (auto at = ran.err.find("found in"); at != std::string::npos; at = ran.err.find("found in", at + 1)) ++found;
  EXPECT_EQ(found, 3);
}

TEST_F(Lr, TheSuggestedNextCommandCanBePasted) {
  write_table("my table.csv");
  const Ran ran = run("lr 'my table.csv' --target y --type b=number --set model.hidden=[8] --epochs 5 --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto at = ran.out.find("next         thalweg ");
  ASSERT_NE(at, std::string::npos) << ran.out;
  const auto begin = at + std::string("next         thalweg ").size();
  const std::string command = ran.out.substr(begin, ran.out.find('\n', begin) - begin);
  const Ran pasted = run(command + " --print-config");
  ASSERT_EQ(pasted.code, 0) << command << "\n" << pasted.err;
  EXPECT_NE(pasted.out.find("hidden = [8]"), std::string::npos) << pasted.out;
  EXPECT_NE(pasted.out.find("target = \"y\""), std::string::npos);
  EXPECT_NE(pasted.out.find("epochs = 5"), std::string::npos);
}

}  // namespace
}  // namespace thalweg::testing
