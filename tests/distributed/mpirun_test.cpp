// The command under a launcher, as on a cluster. Left out where there is no MPI.

#include "../cli/command.hpp"

namespace thalweg::testing {
namespace {

class Mpirun : public CommandTest {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "MPI is not made for the thread sanitizer";
#endif
    const auto library = std::filesystem::path(command()).parent_path() / "libthalweg_mpi.so";
    if (!std::filesystem::exists(library)) GTEST_SKIP() << "built without MPI";
    if (shell("command -v mpirun").code != 0) GTEST_SKIP() << "there is no mpirun";
    write("run.toml",
          "seed = 3\n[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\nvalidation = 0.1\n"
          "[model]\nkind = \"mlp\"\nhidden = [32, 16]\n"
          "[train]\nepochs = 4\nbatch_size = 32\nshard_size = 4\n");
    write_table("t.csv", 300);
  }

  /// `thalweg train ARGUMENTS` on so many ranks.
  [[nodiscard]] static std::string line(int ranks, const std::string& arguments) {
    return "ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 THALWEG_THREADS=1 "
           "timeout 100 mpirun --oversubscribe -n " +
           std::to_string(ranks) + " " + command() + " train " + arguments;
  }
  [[nodiscard]] Ran train(int ranks, const std::string& arguments) const { return shell(line(ranks, arguments)); }

  /// The same in the background, and then a line of the shell, which has the processes of a rank as `of RANK`: the
  /// supervisor, and the rank itself.
  [[nodiscard]] Ran train_and(int ranks, const std::string& arguments, const std::string& then) const {
    const std::string functions =
        "of() { for p in $(pgrep -f 'thalweg train " + arguments.substr(0, arguments.find(' ')) +
        "'); do tr '\\0' '\\n' 2>/dev/null </proc/$p/environ | grep -q \"^OMPI_COMM_WORLD_RANK=$1$\" && "
        "readlink /proc/$p/cwd | grep -q '" +
        path().filename().string() +
        "' && echo $p; done; }; "
        "begun() { for i in $(seq 300); do grep -q '\"step\"' r/metrics.jsonl 2>/dev/null && break; sleep 0.1; done; "
        "}; ";
    return shell(functions + line(ranks, arguments) + " & launcher=$!; begun; " + then + "; wait $launcher");
  }

  const std::string long_run_ = "run.toml --out r --epochs 2000000";
};

TEST_F(Mpirun, AnyNumberOfRanksGivesTheBitsOfOne) {
  ASSERT_EQ(run("train run.toml --out alone -q").code, 0);
  for (const int ranks : {2, 3, 4, 8}) {
    const std::string out = "r" + std::to_string(ranks);
    const Ran ran = train(ranks, "run.toml --out " + out);
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(read(out + "/model.safetensors"), read("alone/model.safetensors")) << ranks;
    EXPECT_TRUE(std::filesystem::exists(path(out + "/report.html")));
    EXPECT_EQ(ran.out.find("verdict"), ran.out.rfind("verdict")) << "said once";
  }
  EXPECT_FALSE(std::filesystem::exists(path("alone-2")));
}

TEST_F(Mpirun, AResumeOnOtherRanksGivesTheBitsOfAnUndisturbedRun) {
  ASSERT_EQ(run("train run.toml --out alone -q").code, 0);
  ASSERT_EQ(train(3, "run.toml --out r -q --stop-after 11").code, 0);
  ASSERT_EQ(train(2, "r --resume -q --stop-after 20").code, 0);
  ASSERT_EQ(run("train r --resume -q").code, 0);
  EXPECT_EQ(read("r/model.safetensors"), read("alone/model.safetensors"));
}

TEST_F(Mpirun, AMistakeIsReportedOnceWithItsCode) {
  const Ran ran = train(3, "run.toml --out r --set train.batch_size=-1");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("batch_size"), std::string::npos);
  EXPECT_EQ(ran.err.find("batch_size = -1"), ran.err.rfind("batch_size = -1")) << ran.err;
}

TEST_F(Mpirun, ARankThatIsKilledIsNamed) {
  const Ran ran = train_and(3, long_run_, "kill -9 $(of 1 | tail -1)");
  EXPECT_EQ(ran.code, 8) << ran.err;
  EXPECT_NE(ran.err.find("rank 1 on "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("killed by signal 9"), std::string::npos) << ran.err;
}

TEST_F(Mpirun, ARankThatHangsIsNamedWhenItsTimeIsUp) {
  const Ran ran = train_and(3, long_run_ + " --patience 5", "kill -STOP $(of 1 | tail -1)");
  EXPECT_EQ(ran.code, 8) << ran.err;
  EXPECT_NE(ran.err.find("rank 1 on "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("has not answered for 5 s"), std::string::npos) << ran.err;
}

TEST_F(Mpirun, ASignalToTheLauncherLeavesACheckpointToGoOnFrom) {
  for (const std::string signal : {"TERM", "USR1"}) {
    const Ran ran = train_and(2, "run.toml --out r --epochs 2000000", "pkill -" + signal + " -P $launcher mpirun");
    EXPECT_NE(ran.code, 0);
    EXPECT_FALSE(std::filesystem::is_empty(path("r/checkpoints"))) << signal << ran.err;
    std::filesystem::remove_all(path("r"));
  }
}

}  // namespace
}  // namespace thalweg::testing
