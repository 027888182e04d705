// The memory of a training predicted by `thalweg plan`, compared with the memory of the process.

#include <algorithm>
#include <cmath>

#include "command.hpp"
#include "sanitized.hpp"

namespace thalweg::testing {
namespace {

class PlannedMemory : public CommandTest {
 protected:
  void SetUp() override {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "sanitizers use memory of their own";
    write("peak.py",
          "import resource, subprocess, sys\n"
          "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
          "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
          "sys.exit(code)\n");
  }

  /// The peak memory of one training.
  [[nodiscard]] double taken_by(const std::string& config) const {
    const Ran trained =
        shell("python3 peak.py " + command() + " train " + config + " --threads 1 -q --stop-after 3 --out r");
    EXPECT_EQ(trained.code, 0) << trained.err;
    std::filesystem::remove_all(path("r"));
    return trained.code == 0 ? std::stod(trained.out) : 0;
  }

  /// Trains a few steps on one thread. The run is stopped before its end because the verdict may train once more.
  void expect_as_planned(const std::string& config) const {
    const Ran plan = run("plan " + config + " --threads 1 --json");
    ASSERT_EQ(plan.code, 0) << plan.err;
    const double planned = plan.json()["memory"]["total"];
    double taken = 0;
    // a busy machine may swap out pages of the process before its peak
    for (int attempt = 0; attempt < 3 && !(std::abs(planned / taken - 1) < 0.05); ++attempt)
      taken = std::max(taken, taken_by(config));
    EXPECT_LT(std::abs(planned / taken - 1), 0.05) << config << ": planned " << planned << ", taken " << taken;
    EXPECT_GT(taken, 5e7) << "the plan must need much more than the program itself";
  }
};

TEST_F(PlannedMemory, IsRightForAWideNetworkWhoseStatesAreLarge) {
  write_table("t.csv", 1000);
  const std::string wide = "t.csv --target y --set model.hidden=[1500,1500] --set train.batch_size=128 ";
  expect_as_planned(wide + "--optimizer adamw");
  expect_as_planned(wide + "--optimizer sgd");
  expect_as_planned(wide + "--optimizer adamw --set train.shard_size=16");
}

TEST_F(PlannedMemory, IsRightForATransformerWhoseActivationsAreLarge) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "the whale and the sea, " + std::to_string(i % 100) + " times; ";
  write("text.txt", text);
  write("gpt.toml",
        "[data]\nformat = \"text\"\ntrain = \"text.txt\"\nvalidation = 0.1\nsequence_length = 128\n"
        "[model]\nkind = \"gpt\"\nlayers = 4\nwidth = 128\nheads = 4\ncontext = 128\ndropout = 0.1\n"
        "[train]\nsteps = 50\nbatch_size = 64\n");
  for (const std::string memory : {"keep", "lean"}) expect_as_planned("gpt.toml --set train.memory=" + memory);
  expect_as_planned("gpt.toml --optimizer muon");
}

TEST_F(PlannedMemory, IsRightForTextWithManyRows) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "the whale and the sea, " + std::to_string(i % 100) + " times; ";
  write("text.txt", text);
  write("rows.toml",
        "[data]\nformat = \"text\"\ntrain = \"text.txt\"\nvalidation = 0.1\nsequence_length = 128\nstride = 4\n"
        "[model]\nkind = \"gpt\"\nlayers = 1\nwidth = 16\nheads = 2\ncontext = 128\n"
        "[train]\nsteps = 50\nbatch_size = 4\n");
  expect_as_planned("rows.toml");
}

}  // namespace
}  // namespace thalweg::testing
