// Ranks on two hosts, which are network namespaces of this machine (tests/two_hosts), also as nodes of a Slurm cluster
// (tests/slurm). Skipped if these are not permitted, or if there is no Slurm.

#include "mpirun.hpp"

namespace thalweg::testing {
namespace {

class TwoHosts : public Mpirun {
 protected:
  void SetUp() override {
    Mpirun::SetUp();
    if (IsSkipped()) return;
    if (shell("command -v ip nsenter unshare").code != 0) GTEST_SKIP() << "ip, nsenter or unshare is not installed";
    const Ran tried = shell(hosts_ + " 'true'");
    if (tried.code != 0) GTEST_SKIP() << "namespaces are not permitted here: " << tried.err;
    write("hosts", "n1 slots=1\nn2 slots=1\n");
  }

  /// A shell line that runs `thalweg train ARGUMENTS` with a rank on each host, started as on a cluster.
  [[nodiscard]] static std::string train_on_both(const std::string& arguments) {
    return "OMPI_MCA_plm_rsh_agent=\"$0 --agent\" OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 "
           "OMPI_MCA_oob_tcp_if_include=10.77.0.0/24 THALWEG_THREADS=1 THALWEG=" +
           command() + " timeout -k 5 60 " + source_folder() + "/scripts/cluster/train-on hosts " + arguments;
  }
  [[nodiscard]] Ran on_the_first(const std::string& line) const { return shell(hosts_ + " '" + line + "'"); }

  const std::string hosts_ = source_folder() + "/tests/two_hosts";
};

TEST_F(TwoHosts, GiveTheBitsOfOneHost) {
  ASSERT_EQ(run("train run.toml --out alone -q").code, 0);
  const Ran ran = on_the_first(train_on_both("run.toml --out r -q"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(read("r/model.safetensors"), read("alone/model.safetensors"));
}

TEST_F(TwoHosts, TheLauncherNamesTheHostBehindACutLink) {
  const Ran ran = on_the_first("export THALWEG_GRACE=5; " + train_on_both("run.toml --out r -q --epochs 2000000") +
                               " & launcher=$!; "
                               "for i in $(seq 300); do grep -q loss r/metrics.jsonl 2>/dev/null && break; "
                               "sleep 0.1; done; $0 --cut; wait $launcher");
  EXPECT_EQ(ran.code, 205) << "Open MPI's own: " << ran.err;
  EXPECT_NE(ran.err.find("lost communication with a remote daemon"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("on node n2"), std::string::npos) << ran.err;
}

class SlowSlurm : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    if (IsSkipped()) return;
    for (const std::string program : {"munged", "slurmctld", "slurmd", "sbatch"}) {
      if (shell("PATH=$PATH:/usr/sbin command -v " + program).code != 0)
        GTEST_SKIP() << "there is no " << program << " (Debian: slurmctld slurmd slurm-client munge)";
    }
  }

  /// Runs shell lines on the cluster. In them, `job ARGUMENTS` trains by the job of scripts/cluster, a rank on each
  /// node, and has its exit code; what it prints is added to job.txt.
  [[nodiscard]] Ran on_the_cluster(const std::string& lines) const {
    const std::string folder = std::filesystem::path(command()).parent_path().string();
    write("lines.sh", "export PATH=" + folder +
                          ":$PATH ASAN_OPTIONS=detect_leaks=0 THALWEG_OUT=r\n"
                          "job() { sbatch --wait --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 --output=job.txt " +
                          source_folder() + "/scripts/cluster/train.slurm \"$@\"; }\n" + lines);
    return shell("timeout -k 5 900 " + source_folder() + "/tests/slurm 'bash lines.sh'");
  }
};

TEST_F(SlowSlurm, GivesTheBitsOfOneProcess) {
  ASSERT_EQ(run("train run.toml --out alone -q").code, 0);
  const Ran ran = on_the_cluster("job run.toml\n");
  ASSERT_EQ(ran.code, 0) << ran.err << read("job.txt");
  EXPECT_EQ(read("job.txt").substr(0, 8), "2 ranks\n");
  EXPECT_EQ(read("r/model.safetensors"), read("alone/model.safetensors"));
}

TEST_F(SlowSlurm, AJobThatIsSignalledLeavesACheckpointAndTheNextOneGoesOn) {
  // more than a million parameters: both ranks write the checkpoint
  const std::string options = "run.toml --set model.hidden=[1100,1000] --set train.steps=150";
  ASSERT_EQ(run("train " + options + " --out alone -q").code, 0);
  // a run that ended before its first checkpoint
  ASSERT_EQ(run("train " + options + " --out r --stop-after 1 -q").code, 0);
  for (const auto& saved : std::filesystem::directory_iterator(path("r/checkpoints")))
    std::filesystem::remove_all(saved);
  const Ran ran =
      on_the_cluster("job " + options +
                     " & for i in $(seq 600); do grep -qs loss r-2/metrics.jsonl && break; sleep 0.1; done\n"
                     "scancel --signal=TERM 1; wait $! && exit 1; [ $? = 143 ] || exit 2\n"
                     "ls r-2/checkpoints/step-* && [ ! -e r-2/model.safetensors ] || exit 3\n"
                     "job " +
                     options + "\n");
  ASSERT_EQ(ran.code, 0) << ran.err << read("job.txt");
  EXPECT_EQ(read("r-2/model.safetensors"), read("alone/model.safetensors"));
}

TEST_F(SlowSlurm, AnErrorOfAllRanksIsReportedOnceWithItsExitCode) {
  const Ran ran = on_the_cluster("job run.toml --set train.batch_size=-1\n");
  EXPECT_EQ(ran.code, 2) << ran.err;
  const std::string said = read("job.txt");
  EXPECT_NE(said.find("batch_size = -1"), std::string::npos) << said;
  EXPECT_EQ(said.find("batch_size = -1"), said.rfind("batch_size = -1")) << said;
  EXPECT_EQ(said.find("killed by signal"), std::string::npos) << "the launcher ends the other rank: " << said;
}

}  // namespace
}  // namespace thalweg::testing
