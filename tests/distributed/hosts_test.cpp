// Ranks on two hosts, which are network namespaces of this machine (tests/two_hosts). Skipped if these are not
// permitted.

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

}  // namespace
}  // namespace thalweg::testing
