// Devices in the command: the list of devices, the option --device, and errors about devices that are not available.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class Devices : public CommandTest {
 protected:
  /// Whether this machine has a GPU that can be used.
  [[nodiscard]] bool has_gpu() const { return run("devices --json").json()["devices"].size() > 1; }

  void expect_refused(const Ran& ran, std::initializer_list<const char*> words) const {
    EXPECT_EQ(ran.code, 2) << ran.out << ran.err;
    for (const char* word : words) EXPECT_NE(ran.err.find(word), std::string::npos) << word << " in: " << ran.err;
  }
};

TEST_F(Devices, ThisCpuIsListedAndWhyThereIsNoGpu) {
  const Ran ran = run("devices");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.rfind("cpu         ", 0), 0u) << ran.out;
  const nlohmann::json json = run("devices --json").json();
  const nlohmann::json& cpu = json["devices"][0];
  EXPECT_EQ(cpu["name"], "cpu");
  EXPECT_FALSE(cpu["model"].get<std::string>().empty());
  EXPECT_NE(cpu["details"].get<std::string>().find(" thread"), std::string::npos);
  EXPECT_GT(cpu["memory"].get<std::int64_t>(), 0);
  EXPECT_EQ(json.contains("why_no_gpu"), json["devices"].size() == 1) << json;
  EXPECT_EQ(json.contains("why_no_gpu"), ran.out.find("\ncuda        none: ") != std::string::npos) << ran.out;
}

TEST_F(Devices, AGpuThatIsNotThereIsRefusedBeforeAnythingIsWritten) {
  if (has_gpu()) GTEST_SKIP() << "there is one";
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --out here").code, 0);
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[train]\ndevice = \"cuda\"\n");
  for (const char* asked :
       {"train t.csv --target y --device cuda", "train t.csv --target y --device cuda:1", "train t.toml",
        "train t.csv --target y --device cuda --cv 3", "train t.csv --target y --device cuda --dry-run",
        "lr t.csv --target y --device cuda", "evaluate here --device cuda", "predict here --data t.csv --device cuda",
        "inspect t.toml", "compare t.toml --optimizers adam --rates 0.1 --seeds 1"})
    expect_refused(run(asked), {"[device]"});
  EXPECT_FALSE(std::filesystem::exists(path("runs")));
  expect_refused(shell("LD_LIBRARY_PATH= THALWEG_STAND_IN_GPUS=0 " + command() + " train t.toml"), {"[device]"});
}

TEST_F(Devices, NamesAreChecked) {
  write_table("t.csv");
  expect_refused(run("train t.csv --target y --device gpu"), {"[train] device = \"gpu\"", "cuda:1"});
  expect_refused(run("train t.csv --target y --device cuda:"), {"cuda:1"});
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[train]\ndevice = \"nvidia\"\n");
  expect_refused(run("train t.toml"), {"t.toml:5", "\"nvidia\""});
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  expect_refused(run("evaluate runs/t --device nvidia"), {"no device \"nvidia\"", "cuda:1"});
}

TEST_F(Devices, CommandsThatRunOnlyOnTheCpuSaySo) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  write("lines.txt", "one two three four five six seven eight nine ten eleven twelve thirteen fourteen\n");
  const std::string text =
      "train lines.txt --quiet --epochs 1 --set data.format=text --set data.validation=0 --set data.sequence_length=8 "
      "--set model.kind=gpt --set model.layers=1 --set model.width=8 --set model.heads=1 --set model.context=8";
  const Ran trained = run(text);
  ASSERT_EQ(trained.code, 0) << trained.err;
  expect_refused(run("generate runs/lines --prompt one --device cuda"), {"text is written token by token", "CPU"});
  expect_refused(run("inspect t.csv --target y --device cuda --measure"), {"the parts of a step are measured", "CPU"});
  for (const char* alone : {"minimize rosenbrock", "landscape runs/t", "report runs/t", "schedule cosine"})
    expect_refused(run(std::string(alone) + " --device cuda"), {"computes on this CPU alone"});
  expect_refused(run("compare rosenbrock --device cuda"), {"train.device is set for a problem"});
}

TEST_F(Devices, ARunCanBeResumedOnAnotherDevice) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --quiet --stop-after 5").code, 0);
  EXPECT_NE(read_text(path("runs/t/config.toml")).find("\ndevice = \"cpu\"\n"), std::string::npos);
  if (has_gpu()) GTEST_SKIP() << "there is one";
  const Ran there = run("train runs/t --resume --device cuda");
  expect_refused(there, {"[device]"});
  EXPECT_EQ(there.err.find("configuration"), std::string::npos) << there.err;
  const Ran here = run("train runs/t --resume --quiet");
  EXPECT_EQ(here.code, 0) << here.err;
}

/// Runs the command with stand-ins for NVIDIA's libraries (tests/cuda/nvidia), which simulate a GPU on this CPU.
class OnAGpu : public Devices {
 protected:
  void SetUp() override {
    Devices::SetUp();
    nvidia_ = std::filesystem::path(command()).parent_path() / "nvidia";
    if (!std::filesystem::exists(nvidia_ / "libcuda.so.1")) GTEST_SKIP() << "built without the headers of CUDA";
    write_table("t.csv");
  }
  /// `variables` are environment variables, which set up the stand-in.
  [[nodiscard]] Ran there(const std::string& arguments, const std::string& variables = "") const {
    return shell("LD_LIBRARY_PATH='" + nvidia_.string() + "' XDG_CACHE_HOME='" + path("cache").string() + "' " +
                 variables + " " + command() + " " + arguments);
  }
  /// Runs a small training with these further options.
  [[nodiscard]] Ran train(const std::string& options, const std::string& variables = "") const {
    return there(
        "train t.csv --target y --epochs 4 --set model.kind=mlp --set model.hidden=[8] "
        "--set train.early_stopping=false " +
            options,
        variables);
  }
  [[nodiscard]] std::string model(const std::string& run) const { return read_text(path(run + "/model.safetensors")); }
  [[nodiscard]] double loss(const std::string& run) const {
    return this->run("evaluate " + run + " --json").json()["loss"];
  }

 private:
  std::filesystem::path nvidia_;
};

TEST_F(OnAGpu, TheGpuIsListed) {
  const nlohmann::json json = there("devices --json").json();
  ASSERT_EQ(json["devices"].size(), 2u) << json;
  EXPECT_EQ(json["devices"][1]["name"], "cuda:0");
  EXPECT_FALSE(json.contains("why_no_gpu"));
  const Ran none = there("devices", "THALWEG_STAND_IN_GPUS=0");
  EXPECT_EQ(none.code, 0) << none.err;
  EXPECT_NE(none.out.find("cuda        none: "), std::string::npos) << none.out;
}

TEST_F(OnAGpu, ARunNamesTheGpuAndGivesTheSameBitsTwice) {
  const Ran first = train("--device cuda --out a"), second = train("--device cuda:0 --quiet --out b");
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_NE(first.err.find("\ndevice: "), std::string::npos) << first.err;
  EXPECT_EQ(model("a"), model("b"));
  EXPECT_NE(read_text(path("a/report.html")).find("device"), std::string::npos);
  const Ran here = train("--quiet --out c");
  ASSERT_EQ(here.code, 0) << here.err;
  EXPECT_NEAR(loss("a"), loss("c"), 1e-4 * loss("c"));
}

TEST_F(OnAGpu, AKilledRunResumesWithTheSameBits) {
  ASSERT_EQ(train("--device cuda --quiet --out whole").code, 0);
  ASSERT_EQ(train("--device cuda --quiet --out r --stop-after 7").code, 0);
  const Ran resumed = there("train r --resume");  // its configuration names the device
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.err.find("began elsewhere"), std::string::npos) << resumed.err;
  EXPECT_EQ(model("r"), model("whole"));
}

TEST_F(OnAGpu, ARunThatBeganThereResumesOnTheCpu) {
  ASSERT_EQ(train("--device cuda --quiet --out whole").code, 0);
  ASSERT_EQ(train("--device cuda --quiet --out r --stop-after 7").code, 0);
  const Ran resumed = run("train r --resume --device cpu");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("the run began elsewhere, and its last digits may differ: device: was"), std::string::npos)
      << resumed.err;
  EXPECT_NEAR(loss("r"), loss("whole"), 1e-4 * loss("whole"));
}

/// Methods that need more than one gradient per step, or that own their steps.
TEST_F(OnAGpu, MethodsThatAskForMoreGiveTheSameBitsAndResumeOnTheCpu) {
  for (const std::string method : {"sam", "saga", "kfac", "lbfgs"}) {
    SCOPED_TRACE(method);
    const std::string options = "--device cuda --quiet --optimizer " + method + " --out ";
    const Ran whole = train(options + method);
    ASSERT_EQ(whole.code, 0) << whole.err;
    ASSERT_EQ(train(options + method + "2 --stop-after 2").code, 0);
    std::filesystem::copy(path(method + "2"), path(method + "3"), std::filesystem::copy_options::recursive);
    ASSERT_EQ(there("train " + method + "2 --resume --quiet").code, 0);
    EXPECT_EQ(model(method + "2"), model(method));
    ASSERT_EQ(run("train " + method + "3 --resume --quiet --device cpu").code, 0);
    EXPECT_NEAR(loss(method + "3"), loss(method), 1e-3 * loss(method));
  }
}

/// A linear model without options for steps is fitted as a whole; looks at the curvature are possible in every run.
TEST_F(OnAGpu, WholeFitsAndLooksWorkThere) {
  const std::string linear = "train t.csv --target y --quiet --out ";
  ASSERT_EQ(there(linear + "a --device cuda").code, 0);
  ASSERT_EQ(run(linear + "b").code, 0);
  EXPECT_NEAR(loss("a"), loss("b"), 1e-4 * loss("b"));
  const Ran looked =
      train("--device cuda --set insight.every=2 --set insight.budget=1 --set insight.largest=true --out c");
  ASSERT_EQ(looked.code, 0) << looked.err;
  EXPECT_EQ(looked.err.find("this CPU"), std::string::npos) << looked.err;
  ASSERT_EQ(train("--quiet --device cuda --out d").code, 0);
  EXPECT_EQ(model("c"), model("d"));
}

TEST_F(OnAGpu, PredictionsAgreeWithThoseOfTheCpu) {
  ASSERT_EQ(train("--device cuda --quiet --out a").code, 0);
  const Ran there_too = there("predict a --data t.csv --device cuda --json"),
            here = run("predict a --data t.csv --json");
  ASSERT_EQ(there_too.code, 0) << there_too.err;
  ASSERT_EQ(here.code, 0) << here.err;
  EXPECT_NEAR(there_too.json().begin()->get<double>(), here.json().begin()->get<double>(), 1e-4);
  const Ran measured = there("evaluate a --device cuda --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_NEAR(measured.json()["loss"].get<double>(), loss("a"), 1e-4 * loss("a"));
}

TEST_F(OnAGpu, TooLittleMemoryIsExitCodeSevenAndNamesTheBytesRequested) {
  const Ran ran = train("--device cuda", "THALWEG_STAND_IN_BYTES=10000");
  EXPECT_EQ(ran.code, 7) << ran.out << ran.err;
  EXPECT_NE(ran.err.find("train.memory = \"lean\""), std::string::npos) << ran.err;  // the hint is a valid setting
  EXPECT_NE(ran.err.find("bytes asked for on"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(path("runs/t/config.toml")));
}

TEST_F(OnAGpu, ALostGpuIsExitCodeNineAndLeavesTheLastCheckpointIntact) {
  ASSERT_EQ(train("--quiet --out whole").code, 0);
  int resumed = 0;
  for (int launches = 10;; launches *= 2) {  // until the training ends before the GPU is lost
    const std::string out = "r" + std::to_string(launches);
    const Ran ran = train("--device cuda --out " + out, "THALWEG_STAND_IN_LOST_AFTER=" + std::to_string(launches));
    if (ran.code == 0) break;
    ASSERT_EQ(ran.code, 9) << ran.out << ran.err;
    const std::string way_on = "thalweg train " + out + " --resume, or on this CPU with --device cpu";
    if (ran.err.find(way_on) == std::string::npos) {  // the GPU was lost before the first checkpoint
      EXPECT_EQ(resumed, 0) << ran.err;
      continue;
    }
    const Ran here = run("train " + out + " --resume --device cpu");
    ASSERT_EQ(here.code, 0) << here.err;
    EXPECT_NEAR(loss(out), loss("whole"), 1e-4 * loss("whole"));
    ++resumed;
  }
  EXPECT_GT(resumed, 0);
}

}  // namespace
}  // namespace thalweg::testing
