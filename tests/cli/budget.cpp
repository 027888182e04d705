// A run with a budget stops when the budget is spent or when the run is hopeless, tells why, and can be resumed.

#include <filesystem>
#include <regex>
#include <sstream>

#include "command.hpp"

namespace thalweg::testing {
namespace {

using Budget = CommandTest;

constexpr const char* steps =
    "train t.csv --target y --set model.hidden=[4] --set train.batch_size=8 --epochs 200 --json --quiet ";

TEST_F(Budget, ARunStopsWhenItIsSpentAndResumesWithTheSameBits) {
  write_table("t.csv");
  ASSERT_EQ(run(steps + std::string("--out whole")).code, 0);
  const Ran part = run(steps + std::string("--set train.budget='0.001 s' --out parts"));
  ASSERT_EQ(part.code, 0) << part.err;
  const auto last = part.json();
  ASSERT_TRUE(last.contains("stopped_at")) << part.out;
  EXPECT_EQ(last["budget"], "the budget of 0.001 s is spent");
  const std::string hint = last["resume"];
  ASSERT_EQ(hint.find("thalweg train "), 0U) << hint;
  const Ran gone_on = run(hint.substr(8) + " --quiet --json");
  ASSERT_EQ(gone_on.code, 0) << gone_on.err;
  EXPECT_FALSE(gone_on.json().contains("stopped_at")) << gone_on.out;
  EXPECT_EQ(read_text(path("parts/model.safetensors")), read_text(path("whole/model.safetensors")));
}

TEST_F(Budget, TheTimeOfASittingThatEndedWithinAnEpochCounts) {
  write_table("t.csv");
  const std::string limited = steps + std::string("--set train.budget='1 h' --out r ");
  ASSERT_EQ(run(limited + "--stop-after 3").code, 0);
  const std::string log = read_text(path("r/metrics.jsonl"));
  EXPECT_EQ(log.find("\"metrics\""), std::string::npos) << log;  // no epoch ended
  // pretend that the first sitting took longer than the budget
  write("r/metrics.jsonl", std::regex_replace(log, std::regex("\"seconds\":[0-9.e-]+"), "\"seconds\":3601"));
  const Ran resumed = run("train r --resume --quiet --json");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.json()["budget"], "the budget of 1 h is spent") << resumed.out;
  EXPECT_EQ(resumed.json()["stopped_at"], 4);
}

TEST_F(Budget, ARunThatASignalStoppedSaysHowLongItTook) {
  write_table("t.csv");
  const Ran ran = shell("timeout --preserve-status -s INT 2 " + command() +
                        " train t.csv --target y --batch-size 1 --epochs 1000000 --quiet --out r");
  ASSERT_EQ(ran.code, 130) << ran.err;
  const auto stopped = nlohmann::json::parse(shell("tail -n 1 r/metrics.jsonl").out);
  EXPECT_GT(stopped["seconds"], 0);
  EXPECT_NE(ran.out.find("stopped at step "), std::string::npos);
  ASSERT_EQ(run("train r --resume --stop-after " + std::to_string(stopped["step"].get<int>() + 1) + " --quiet").code,
            0);
  EXPECT_GT(nlohmann::json::parse(shell("tail -n 1 r/metrics.jsonl").out)["seconds"], stopped["seconds"]);
}

TEST_F(Budget, AHopelessRunStopsBeforeTheBudgetIsSpent) {
  std::string table = "x,y\n";  // y is independent of x
  for (int i = 0; i < 200; ++i) table += std::to_string(i * 7919 % 101) + "," + std::to_string(i * 104729 % 97) + "\n";
  write("t.csv", table);
  const Ran ran =
      run(steps + std::string("--set train.budget='2 h' --set model.initializer=zeros --model mlp --out r"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto last = ran.json();
  ASSERT_TRUE(last.contains("budget")) << ran.out;
  EXPECT_EQ(last["budget"].get<std::string>().find("Learned nothing"), 0U) << last;
  EXPECT_NE(last["budget"].get<std::string>().find("of the budget of 2 h was spent"), std::string::npos) << last;
  EXPECT_EQ(last["resume"], "thalweg train r --resume");  // most of its budget is left
  const auto steps_taken = last["stopped_at"].get<int>();
  EXPECT_LT(steps_taken, 2000);
  const Ran resumed = run("train r --resume --quiet --json");  // the next check is only after a fifth of all steps
  EXPECT_GT(resumed.json().value("stopped_at", 100'000), steps_taken + 300) << resumed.out;
}

TEST_F(Budget, ARunThatLearnsIsLeftAlone) {
  write_table("t.csv");
  const Ran ran = run(steps + std::string("--set train.budget='2 h' --out r"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(ran.json().contains("budget")) << ran.out;
}

TEST_F(Budget, DollarSignsInTheCommandsOfTheDocumentsAreQuotedForTheShell) {
  int found = 0;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(source_folder()) / "docs")) {
    if (file.path().extension() != ".md") continue;
    std::istringstream lines(read_text(file.path()));
    for (std::string line; std::getline(lines, line);) {
      const std::size_t begin = line.find_first_not_of(' ');
      if (begin == std::string::npos || line.find("thalweg ", begin) != begin || line.find('$') == std::string::npos)
        continue;
      ++found;
      std::string wanted = line.substr(begin + 8) + "\n";
      std::erase(wanted, '\'');
      EXPECT_EQ(shell("echo " + line.substr(begin + 8)).out, wanted) << file.path();
    }
  }
  EXPECT_GE(found, 1);
}

TEST_F(Budget, CommandsThatCannotWatchTheirTrainingsRefuseBudgetAndLooks) {
  write_table("t.csv");
  write("c.toml",
        "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntest = \"t.csv\"\ntarget = \"y\"\n[train]\nepochs = 2\n");
  for (const char* set : {"train.budget=1 h", "insight.every=1 epoch"}) {
    const std::string key = std::string(set).substr(0, std::string(set).find('='));
    for (const char* command : {"train c.toml --cv 3 --out f",
                                "compare c.toml --optimizers adam --rates 0.01 --seeds 1", "lr c.toml --trials 0"}) {
      const Ran ran = run(command + std::string(" --set '") + set + "'");
      EXPECT_EQ(ran.code, 2) << command;
      EXPECT_NE(ran.err.find("] " + key + " = "), std::string::npos) << ran.err;
      EXPECT_EQ(run(command).code, 0) << command;
    }
    const std::string changed = "\"" + key + "\" = \"" + (key == "train.budget" ? "1 h" : "1 epoch") + "\"";
    write("s.toml",
          "question = \"q\"\nclaim = \"c\"\nsource = \"s\"\nkind = \"training\"\nmeasure = \"m\"\nlower = \"a\"\n"
          "higher = \"b\"\nconfig = \"c.toml\"\nset = { " +
              changed + " }\n[[arms]]\nname = \"a\"\n[[arms]]\nname = \"b\"\n");
    const Ran study = run("study s.toml");
    EXPECT_EQ(study.code, 2);
    EXPECT_NE(study.err.find("[study] " + key + " = "), std::string::npos) << study.err;
  }
}

TEST_F(Budget, EachVariantHasABudgetOfItsOwn) {
  write_table("t.csv");
  write("v.toml",
        "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\n[train]\nepochs = 3\nbudget = \"0.001 s\"\n"
        "[[variants]]\nname = \"small\"\nmodel = { hidden = [4] }\n[[variants]]\nname = \"large\"\nmodel = { hidden = "
        "[8] "
        "}\n");
  const Ran stopped = run("train v.toml --out v");
  ASSERT_EQ(stopped.code, 0) << stopped.err;
  const std::string hint = "thalweg train v --resume --set train.budget=\n", said = stopped.out + stopped.err;
  EXPECT_NE(said.find(hint), std::string::npos) << said;
  ASSERT_EQ(run("train v --resume --set train.budget= --quiet").code, 0);
  EXPECT_TRUE(std::filesystem::exists(path("v/report.html")));
}

TEST_F(Budget, InvalidBudgetsAreRefused) {
  write_table("t.csv");
  for (const char* text : {"2 days", "h", "-3 h", "0 h", "$", "1e999 h"}) {
    const Ran ran = run(steps + std::string("--set train.budget='") + text + "' --out r");
    EXPECT_EQ(ran.code, 2) << text << ran.out;
    EXPECT_NE(ran.err.find("budget"), std::string::npos) << ran.err;
  }
  const Ran expanded = run(steps + std::string("--set train.budget=\"$50\" --out r"));  // the shell expands $5 to ""
  EXPECT_EQ(expanded.code, 2);
  EXPECT_NE(expanded.err.find("--set 'train.budget=$50'"), std::string::npos) << expanded.err;
  const Ran unpriced = run(steps + std::string("--set train.budget='$50' --out r"));
  EXPECT_EQ(unpriced.code, 2);
  EXPECT_NE(unpriced.err.find("price"), std::string::npos) << unpriced.err;
}

}  // namespace
}  // namespace thalweg::testing
