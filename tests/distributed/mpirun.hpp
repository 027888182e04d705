#pragma once
// A fixture that runs the command under mpirun, as on a cluster.

#include "../cli/command.hpp"
#include "sanitized.hpp"

namespace thalweg::testing {

/// Its tests are skipped if there is no MPI.
class Mpirun : public CommandTest {
 protected:
  void SetUp() override {
    if (thread_sanitizer) GTEST_SKIP() << "MPI does not work under the thread sanitizer";
    const auto library = std::filesystem::path(command()).parent_path() / "libthalweg_mpi.so";
    if (!std::filesystem::exists(library)) GTEST_SKIP() << "built without MPI";
    if (shell("command -v mpirun").code != 0) GTEST_SKIP() << "mpirun is not installed";
    write("run.toml",
          "seed = 3\n[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\nvalidation = 0.1\n"
          "[model]\nkind = \"mlp\"\nhidden = [32, 16]\n"
          "[train]\nepochs = 4\nbatch_size = 32\nshard_size = 4\n");
    write_table("t.csv", 300);
  }

  /// A shell line that runs `thalweg train ARGUMENTS` on the given number of ranks.
  [[nodiscard]] static std::string line(int ranks, const std::string& arguments) {
    return "ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 THALWEG_THREADS=1 "
           "timeout 100 mpirun --oversubscribe -n " +
           std::to_string(ranks) + " " + command() + " train " + arguments;
  }
  [[nodiscard]] Ran train(int ranks, const std::string& arguments) const { return shell(line(ranks, arguments)); }

  /// The path of the library of fault.cpp, for LD_PRELOAD. Empty under a sanitizer, which must be loaded first.
  [[nodiscard]] static std::string fault() {
    if (address_sanitizer || thread_sanitizer) return "";
    return (std::filesystem::path(command()).parent_path() / "libtest_fault.so").string();
  }

  /// Runs the same line in the background, and then the shell line `then`. In it, `of RANK` prints the processes of a
  /// rank (its supervisor and the rank itself, in any order), and `rank RANK` that of the rank itself.
  [[nodiscard]] Ran train_and(int ranks, const std::string& arguments, const std::string& then,
                              const std::string& environment = "") const {
    const std::string functions =
        "of() { for p in $(pgrep -f 'thalweg train " + arguments.substr(0, arguments.find(' ')) +
        "'); do tr '\\0' '\\n' 2>/dev/null </proc/$p/environ | grep -q \"^OMPI_COMM_WORLD_RANK=$1$\" && "
        "[ \"$(readlink /proc/$p/cwd)\" = \"$(pwd -P)\" ] && echo $p; done; }; "  // not those of another test that runs
                                                                                  // at the same time
        "rank() { local all=$(of $1); for p in $all; do "
        "echo $all | grep -qw \"$(ps -o ppid= -p $p | tr -d ' ')\" && echo $p; done; }; "
        "begun() { for i in $(seq 300); do grep -q '\"step\"' r/metrics.jsonl 2>/dev/null && break; sleep 0.1; done; "
        "}; ";
    return shell(functions + environment + line(ranks, arguments) + " & launcher=$!; begun; " + then +
                 "; wait $launcher");
  }

  void expect_the_bits_of_one(const std::string& config) const {
    ASSERT_EQ(run("train " + config + " --out alone -q").code, 0) << read("err.txt");
    for (const int ranks : {2, 3, 4, 8}) {
      const std::string out = "r" + std::to_string(ranks);
      const Ran ran = train(ranks, config + " --out " + out);
      ASSERT_EQ(ran.code, 0) << ran.err;
      EXPECT_EQ(read(out + "/model.safetensors"), read("alone/model.safetensors")) << ranks;
      EXPECT_TRUE(std::filesystem::exists(path(out + "/report.html")));
      EXPECT_EQ(ran.out.find("verdict"), ran.out.rfind("verdict")) << "the verdict must be printed once";
    }
  }

  const std::string long_run_ = "run.toml --out r --epochs 2000000";
};

}  // namespace thalweg::testing
