// Each kind of failure has its own exit code, and one line that tells what was wrong.

#include "command.hpp"
#include "places.hpp"

#include <filesystem>

namespace thalweg::testing {
namespace {

class ExitCode : public CommandTest {
 protected:
  void expect(const Ran& ran, int code, std::initializer_list<std::string> words) const {
    EXPECT_EQ(ran.code, code) << ran.out << ran.err;
    std::string last = ran.err.substr(0, ran.err.find_last_not_of('\n') + 1);
    last = last.substr(last.rfind('\n') == std::string::npos ? 0 : last.rfind('\n') + 1);
    EXPECT_EQ(last.rfind("thalweg: ", 0), 0u) << ran.err;
    for (const std::string& word : words) EXPECT_NE(last.find(word), std::string::npos) << word << " in: " << last;
    EXPECT_EQ(last.find("Hint:"), last.rfind("Hint:")) << "one hint: " << last;
  }
};

TEST_F(ExitCode, DoneIsZero) {
  EXPECT_EQ(run("version").code, 0);
  EXPECT_EQ(run("--help").code, 0);
  EXPECT_EQ(run("train --help").code, 0);
  EXPECT_EQ(run("list optimizers").code, 0);
}

TEST_F(ExitCode, HelpListsTheCommandsUnderHeadings) {
  const std::string help = run("--help").out;
  std::size_t place = 0;
  for (const char* part : {"Training:", " lr ", " train ", "Trained models:", " predict ", "Methods:", " minimize ",
                           "Reference:", " list ", " version "}) {
    const std::size_t found = help.find(part, place);
    ASSERT_NE(found, std::string::npos) << part << " in:\n" << help;
    place = found;
  }
  EXPECT_TRUE(run("version --json").json().contains("version"));
}

TEST_F(ExitCode, UsageIsTwo) {
  write_table("t.csv");
  expect(run(""), 2, {"subcommand is required", "--help"});
  expect(run("trian t.csv"), 2, {"did you mean train"});
  expect(run("train t.csv --targte y"), 2, {"did you mean --target"});
  expect(run("train t.csv"), 2, {"[data] target", "--target COLUMN"});
  expect(run("train nothing.csv --target y"), 2, {"nothing.csv"});
  expect(run("train t.csv --target z"), 2, {"'z'"});
  expect(run("train t.csv --target y --optimizer adamm"), 2, {"did you mean 'adam"});
  expect(run("train t.csv --target y --lr nan"), 2, {"lr", "nan"});
  expect(run("train t.csv --target y --lr inf"), 2, {"lr", "inf"});
  expect(run("train t.csv --target y --lr=-1"), 2, {"lr = -1"});
  expect(run("train t.csv --target y --lr 1e-3x"), 2, {"lr = \"1e-3x\"", "a number"});
  expect(shell("THALWEG_ISA=mmx " + command() + " train t.csv --target y"), 2, {"THALWEG_ISA=mmx", "avx2"});
  expect(run("train t.csv --target y --batch-size 0"), 2, {"batch_size = 0", ">= 1"});
  expect(run("train t.csv --target y --set optimizer.wieght_decay=1"), 2, {"did you mean 'weight_decay'"});
  expect(run("train t.csv --target y --set lr"), 2, {"--set", "'lr' is not KEY=VALUE", "optimizer.lr=1e-3"});
  expect(run("train t.csv --target y --resume"), 2, {"[resume]", "no unfinished run"});
  expect(run("evaluate nowhere"), 2, {"nowhere"});
  expect(run("list optimisers"), 2, {"did you mean 'optimizers'"});
}

TEST_F(ExitCode, NumbersThatOverflowAreRefusedByName) {
  write_table("t.csv");
  expect(run("train t.csv --target y --epochs 1844674407370955162"), 2, {"epochs = 1844674407370955162", "2^53"});
  expect(run("train t.csv --target y --set train.steps=9223372036854775807"), 2, {"steps = ", "2^53"});
  expect(run("train t.csv --target y --set train.checkpoint_every='1e300 epochs'"), 2, {"1e+300 epochs", "2^53"});
  expect(run("train t.csv --target y --set schedule.warmup=1e300% --quiet"), 2, {"1e+300%", "at most 100%"});
  const Ran all = run("train t.csv --target y --epochs 1 --quiet --set train.accumulate=9223372036854775807");
  EXPECT_EQ(all.code, 0) << all.err;
}

TEST_F(ExitCode, NumbersBeyond64BitsAreRefusedByName) {
  const std::string beyond = "99999999999999999999";
  write_table("t.csv");
  write("c.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[train]\nepochs = " + beyond + "\n");
  expect(run("train c.toml"), 2, {"c.toml:5", beyond, "64 bits"});
  expect(run("train t.csv --target y --epochs " + beyond), 2, {"epochs = ", beyond});
  expect(run("train t.csv --target y --set train.batch_size=" + beyond), 2, {"batch_size = ", beyond});
  expect(run("train t.csv --target y --stop-after " + beyond), 2, {"--stop-after: " + beyond, "64 bits"});
  expect(run("generate x --tokens " + beyond), 2, {"--tokens: " + beyond, "64 bits"});
  expect(run("play x --seed " + beyond), 2, {"--seed: " + beyond, "64 bits"});
  expect(run("play x --seed 18446744073709551615"), 2, {"no file 'x'"});
  expect(run("schedule cosine --steps 010"), 2, {"--steps: 010", "leading zeros"});  // 8 in other places
}

TEST_F(ExitCode, NumbersOfTheCommandLineAreRefusedInShort) {
  write_table("t.csv");
  for (const char* wrong :
       {"generate x --tokens -1", "generate x --top-p 0", "schedule cosine --lr=-1", "train t.csv --stop-after 0"}) {
    const Ran ran = run(wrong);
    expect(ran, 2, {"Wanted: "});
    EXPECT_LT(ran.err.size(), 200u) << ran.err;
  }
  EXPECT_EQ(run("schedule exponential --set gamma=.3 --lr .5 --csv").code, 0);
  expect(shell("THALWEG_THREADS=abc " + command() + " train t.csv --target y"), 2, {"THALWEG_THREADS=abc"});
  expect(shell("THALWEG_THREADS=-1 " + command() + " train t.csv --target y"), 2, {"THALWEG_THREADS=-1"});
}

TEST_F(ExitCode, EmptyAndTooDeepConfigurationsAreRefused) {
  write("empty.toml", "");
  expect(run("train empty.toml"), 2, {"empty.toml is empty"});
  ASSERT_EQ(shell("mkfifo pipe.toml").code, 0);
  expect(run("train pipe.toml"), 2, {"pipe.toml is not a plain file"});
  std::string deep;
  for (int i = 0; i < 25'000; ++i) deep += "a.";
  for (const std::string& text : {deep + "b = 1\n", "[" + deep + "b]\n"}) {
    write("deep.toml", text);
    expect(run("train deep.toml"), 2, {"deep.toml:1", "64"});
  }
}

TEST_F(ExitCode, UsageInAFileNamesTheLine) {
  write_table("t.csv");
  write("a.toml", "seed = 1\n[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[optimizer]\nlrr = 1e-3\n");
  expect(run("train a.toml"), 2, {"a.toml:6", "'lrr'", "did you mean 'lr'"});
  write("b.toml", "seed = 1\n[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[train]\nepochs = \"many\"\n");
  expect(run("train b.toml"), 2, {"b.toml:6", "epochs"});
  write("c.toml", "seed = 1\n[data\n");
  expect(run("train c.toml"), 2, {"c.toml:2", "TOML"});
  write("d.toml", "seed = 1\n[daat]\n");
  expect(run("train d.toml"), 2, {"d.toml:2", "did you mean 'data'"});
}

TEST_F(ExitCode, DataIsThree) {
  write("ragged.csv", "a,y\n1,2\n3\n");
  expect(run("train ragged.csv --target y"), 3, {"ragged.csv", "3"});
  write("empty.csv", "");
  expect(run("train empty.csv --target y"), 3, {"empty.csv"});
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  write("text.csv", "a,b,kind\n1,apples,u\n");
  expect(run("predict runs/t --data text.csv"), 3, {"text.csv", "apples"});
  write("short.csv", "a,kind\n1,u\n");
  expect(run("predict runs/t --data short.csv"), 3, {"b"});
}

TEST_F(ExitCode, ModelIsFour) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const std::string model = read_text(path("runs/t/model.safetensors"));
  write("cut.safetensors", model.substr(0, model.size() - 10));
  expect(run("predict cut.safetensors --data t.csv"), 4, {"cut.safetensors"});
  write("noise.safetensors", "not a model at all");
  expect(run("inspect noise.safetensors"), 4, {"noise.safetensors"});
  write("pickle.safetensors", std::string("\x80\x02}q\x01.", 7) + std::string(100, 'x'));
  expect(run("evaluate pickle.safetensors --data t.csv"), 4, {"pickle.safetensors"});
}

TEST_F(ExitCode, AnUnfinishedRunIsNoModelYet) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --stop-after 2 --quiet").code, 0);
  expect(run("predict runs/t --data t.csv"), 4, {"has not finished", "--resume"});
}

TEST_F(ExitCode, NumbersAreFive) {
  write_table("t.csv");
  expect(run("train t.csv --target y --optimizer sgd --schedule constant --lr 1e30 --quiet"), 5, {"step"});
  EXPECT_FALSE(std::filesystem::exists(path("runs/t/model.safetensors")));
  // other commands give advice that can be followed
  expect(run("predict runs/t --data t.csv"), 4, {"before its first checkpoint", "train again"});
  expect(run("inspect runs/t --curvature"), 2, {"train again"});
}

TEST_F(ExitCode, InputAndOutputAreSix) {
  write_table("t.csv");
  if (std::filesystem::exists("/dev/full")) {
    expect(shell(command() + " list ops > /dev/full"), 6, {"standard output"});
  }
  expect(run("train t.csv --target y --out /proc/run --quiet"), 6, {"/proc"});
  write("file", "");
  expect(run("train t.csv --target y --out file/run --quiet"), 6, {"file", "Wanted: ", "Hint: "});
  ASSERT_EQ(shell("mkdir -p texts/ham texts/spam && ln -s loop texts/ham/loop").code, 0);
  write("texts.toml", "[data]\nformat = \"texts\"\ntrain = \"texts\"\n[system]\nkind = \"text_classifier\"\n");
  expect(run("train texts.toml"), 6, {"texts/ham/loop'", "Wanted: ", "Hint: a link leads to itself"});
  for (const char* command : {"evaluate ", "inspect ", "train "})
    expect(run(command + std::string(5000, 'x')), 6, {"xxx... (", "File name too long", "Hint: a shorter name"});
}

TEST_F(ExitCode, MemoryIsSeven) {
  write_table("t.csv");
  expect(run("train t.csv --target y --set model.hidden=[1000000,10000000] --quiet"), 7, {"memory"});
}

TEST_F(ExitCode, InterruptsKeepACheckpointAndSayHowToGoOn) {
  write_table("t.csv");
  for (const auto& [signal, code] : {std::pair("INT", 130), std::pair("TERM", 143)}) {
    const std::string out = std::string("run-") + signal;
    const std::string train = command() +
                              " train t.csv --target y --epochs 1000000 "
                              "--set train.early_stopping=false --out " +
                              out;
    // a background job of a shell without job control ignores SIGINT, so `timeout` starts the command
    const Ran ran = shell("timeout --preserve-status -s " + std::string(signal) + " 3 " + train);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.out.find("thalweg train " + out + " --resume"), std::string::npos) << ran.out;
    EXPECT_FALSE(std::filesystem::is_empty(path(out) / "checkpoints"));
  }
}

}  // namespace
}  // namespace thalweg::testing
