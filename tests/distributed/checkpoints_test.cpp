// Checkpoints in slices: each rank writes its own slice, and any number of ranks can read them. A process that dies
// while it writes leaves the previous checkpoint intact.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "local_ranks.hpp"
#include "moons.hpp"
#include "mpirun.hpp"
#include "store/checksum.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {
namespace {

using testing::expect_same;
using testing::LocalRanks;
using testing::TemporaryFolder;

/// Trains 79,421 parameters, which are enough for the ranks to divide the slots among them.
State trained(FitOptions options, std::shared_ptr<Communicator> ranks = {}) {
  Trainer trainer(nn::mlp(1, {.hidden = {300, 260}}), loss::binary_cross_entropy, optim::adam({.lr = 0.01}), 1);
  options.batch_size = 40;
  options.shard_size = 10;
  options.ranks = std::move(ranks);
  (void)trainer.fit(two_moons(120), options);
  return trainer.state();
}

FitOptions options_in(const std::filesystem::path& checkpoints, std::int64_t stop_after) {
  FitOptions options{.epochs = 4};
  options.checkpoints = checkpoints;
  options.resume = true;
  options.stop_after = stop_after;
  return options;
}

std::vector<std::string> files_of(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

class SlicedCheckpoints : public testing::TemporaryFolderTest {
 protected:
  void train_on(int ranks, std::int64_t stop_after) const {
    LocalRanks(ranks).run([&](const std::shared_ptr<Communicator>& own) {
      (void)trained(options_in(path("checkpoints"), stop_after), own);
    });
  }
  void expect_the_bits_of_one(int ranks) const {
    const State alone = trained({.epochs = 4});
    LocalRanks(ranks).run([&](const std::shared_ptr<Communicator>& own) {
      expect_same(trained(options_in(path("checkpoints"), 0), own), alone, fmt::format("on {} ranks", ranks));
    });
  }
  void change_manifest(const std::function<void(nlohmann::json&)>& change) const {
    nlohmann::json manifest = nlohmann::json::parse(testing::read_text(step_five_ / "manifest.json"))["manifest"];
    change(manifest);
    const std::string text = manifest.dump();
    const std::uint32_t sum = checksum(std::as_bytes(std::span(text)));
    write("checkpoints/step-000000005/manifest.json", nlohmann::json{{"manifest", manifest}, {"checksum", sum}}.dump());
  }
  /// Expects that the checkpoint of step 5 is skipped with a warning that contains `what`, and that the run ends the
  /// same.
  void expect_passed_over(const std::string& what) const {
    Trainer resumed(nn::mlp(1, {.hidden = {300, 260}}), loss::binary_cross_entropy, optim::adam({.lr = 0.01}), 1);
    FitOptions options = options_in(path("checkpoints"), 0);
    options.batch_size = 40;
    options.shard_size = 10;
    const History rest = resumed.fit(two_moons(120), options);
    ASSERT_EQ(rest.warnings.size(), 1U) << what;
    EXPECT_NE(rest.warnings[0].find(what), std::string::npos) << rest.warnings[0];
    EXPECT_EQ(rest.steps.front().step, 4);
    EXPECT_TRUE(identical(resumed.state().parameters, trained({.epochs = 4}).parameters));
  }
  std::filesystem::path step_five_ = path("checkpoints") / "step-000000005";
};

TEST_F(SlicedCheckpoints, ConsistOfOneSlicePerRank) {
  train_on(4, 5);
  const std::vector<std::string> wanted = {"manifest.json", "state-0-of-4.safetensors", "state-1-of-4.safetensors",
                                           "state-2-of-4.safetensors", "state-3-of-4.safetensors"};
  EXPECT_EQ(files_of(step_five_), wanted);
  std::uintmax_t all = 0, largest = 0;
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    const std::uintmax_t size = std::filesystem::file_size(step_five_ / wanted[i]);
    all += size;
    largest = std::max(largest, size);
  }
  EXPECT_LE(static_cast<double>(largest), 0.3 * static_cast<double>(all));
  EXPECT_NEAR(static_cast<double>(all), 3 * 4 * 79'421, 2000) << "parameters and two slots, and the headers";
  EXPECT_EQ(files_of(path("checkpoints")), (std::vector<std::string>{"step-000000003", "step-000000005"}));
}

TEST_F(SlicedCheckpoints, AnyNumberOfRanksResumesFromThem) {
  for (const int ranks : {1, 2, 3, 8}) {
    std::filesystem::remove_all(path("checkpoints"));
    train_on(4, 5);
    expect_the_bits_of_one(ranks);
  }
}

TEST_F(SlicedCheckpoints, OneWithADamagedOrMissingSliceIsSkippedForTheOneBefore) {
  for (const bool missing : {false, true}) {
    std::filesystem::remove_all(path("checkpoints"));
    train_on(3, 5);
    const std::filesystem::path slice = step_five_ / "state-1-of-3.safetensors";
    if (missing) {
      std::filesystem::remove(slice);
    } else {
      std::string bytes = testing::read_text(slice);
      bytes[bytes.size() / 2] ^= 1;
      write("checkpoints/step-000000005/state-1-of-3.safetensors", bytes);
    }
    expect_passed_over("state-1-of-3");
  }
}

/// Slices and manifests with wrong content and valid checksums, as an attacker could write them.
TEST_F(SlicedCheckpoints, ThoseWithCraftedFilesAreSkipped) {
  using Json = nlohmann::json;
  const auto with_slice = [&](const std::function<void(SafetensorsFile&)>& change) {
    const std::filesystem::path place = step_five_ / "state-1-of-3.safetensors";
    SafetensorsFile slice = read_safetensors(place);
    change(slice);
    write_safetensors(place, slice);
    change_manifest([&](Json& manifest) { manifest["slice_checksums"][1] = checksum_of(slice); });
  };
  const auto begin = [&] {
    std::filesystem::remove_all(path("checkpoints"));
    train_on(3, 5);
  };
  begin();
  with_slice([](SafetensorsFile& slice) { slice.tensors[0].second = slice.tensors[0].second.to(f64); });
  expect_passed_over("a part of 'parameters' is f64");
  begin();
  with_slice([](SafetensorsFile& slice) {
    Tensor& part = slice.tensors[0].second;
    part = part.reshape({1, part.size()});
  });
  expect_passed_over("a part of 'parameters' is f32");
  begin();
  with_slice([](SafetensorsFile& slice) { slice.tensors[0].second = slice.tensors[0].second.rows(0, 10); });
  expect_passed_over("parameters");
  for (const Json& checksums : {Json::object(), Json::array(), Json("x"), Json(nullptr)}) {
    begin();
    change_manifest([&](Json& manifest) { manifest["slice_checksums"] = checksums; });
    expect_passed_over("passed over");
  }
  begin();
  change_manifest([](Json& manifest) { manifest["tensors"].push_back("parameters"); });
  expect_passed_over("lacks 'parameters'");
}

TEST_F(SlicedCheckpoints, RankZeroWritesAllIfTheOthersDoNotSeeItsFolder) {
  // the disk of the other ranks has files that another run has left
  for (const char* step : {"step-000000003.tmp", "step-000000005.tmp"}) {
    std::filesystem::create_directories(path("elsewhere") / step);
    write(std::string("elsewhere/") + step + "/token", "of another run\n");
  }
  LocalRanks(3).run([&](const std::shared_ptr<Communicator>& own) {
    const std::string folder = own->rank() == 0 ? "checkpoints" : "elsewhere";
    (void)trained(options_in(path(folder), 5), own);
  });
  EXPECT_EQ(files_of(step_five_), (std::vector<std::string>{"manifest.json", "state.safetensors"}));
  EXPECT_EQ(files_of(path("elsewhere") / "step-000000005.tmp"), (std::vector<std::string>{"token"}));
  expect_the_bits_of_one(1);
}

TEST_F(SlicedCheckpoints, FilesThatAKilledProcessLeftAreRemovedByTheNext) {
  std::filesystem::create_directories(path("checkpoints") / "step-000000002.tmp");
  write("checkpoints/step-000000002.tmp/state-0-of-2.safetensors", "half");
  train_on(2, 5);
  EXPECT_EQ(files_of(path("checkpoints")), (std::vector<std::string>{"step-000000003", "step-000000005"}));
}

}  // namespace

namespace testing {
namespace {

/// Injects a fault (fault.cpp) at each call that writes a checkpoint: the process dies, or the disk is full.
class WritingCheckpoints : public Mpirun {
 protected:
  void SetUp() override {
    Mpirun::SetUp();
    if (IsSkipped()) return;
    if (fault().empty()) GTEST_SKIP() << "a sanitizer must be the first library that is loaded";
    write("wide.toml",
          "seed = 3\n[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\n"
          "[model]\nkind = \"mlp\"\nhidden = [160, 160, 160, 160]\n[optimizer]\nkind = \"muon\"\n"
          "[train]\nsteps = 4\nbatch_size = 32\nshard_size = 8\ncheckpoint_every = \"1 steps\"\n");
    ASSERT_EQ(run("train wide.toml --out alone -q").code, 0) << read("err.txt");
  }
  [[nodiscard]] Ran train_with(const std::string& fault_options, int ranks) const {
    std::filesystem::remove_all(path("r"));
    const std::string set = "export LD_PRELOAD=" + fault() + " " + fault_options + "; ";
    if (ranks == 1) return shell(set + command() + " train wide.toml --out r -q");
    return shell(set + line(ranks, "wide.toml --out r -q"));
  }
  /// The number of calls of a rank, in a whole run, that write checkpoints.
  [[nodiscard]] int calls(int rank, int ranks) const {
    std::filesystem::remove(path("calls.txt"));
    const std::string where = " FAULT_COUNT=" + path("calls.txt").string() + " FAULT_RANK=" + std::to_string(rank);
    EXPECT_EQ(train_with(where, ranks).code, 0) << read("err.txt");
    const std::string text = read("calls.txt");
    return static_cast<int>(std::ranges::count(text, '\n'));
  }
  void expect_the_last_whole(const std::string& where) const {
    const Ran resumed = run("train r --resume");
    ASSERT_EQ(resumed.code, 0) << where << resumed.err;
    EXPECT_EQ((resumed.out + resumed.err).find("passed over"), std::string::npos) << where << resumed.err;
    EXPECT_EQ(read("r/model.safetensors"), read("alone/model.safetensors")) << where;
  }
};

TEST_F(WritingCheckpoints, AKillAtAnyCallLeavesTheLastOneIntact) {
  const int all = calls(0, 1), first = all / 4;  // the last call for the first of four checkpoints
  ASSERT_GT(first, 8);
  for (int call = first + 1; call <= 2 * first; ++call) {
    const std::string where = "killed at call " + std::to_string(call);
    ASSERT_EQ(train_with("FAULT_AT=" + std::to_string(call), 1).code, 137) << where;
    expect_the_last_whole(where);
  }
}

TEST_F(WritingCheckpoints, AKillOfARankAtAnyCallLeavesTheLastOneIntact) {
  constexpr int ranks = 3;
  for (const int rank : {0, 2}) {
    const int all = calls(rank, ranks), first = all / 4;
    ASSERT_GT(first, 4);
    for (int call = first + 1; call <= 2 * first; call += rank == 0 ? 3 : 2) {
      const std::string where = "rank " + std::to_string(rank) + " killed at call " + std::to_string(call);
      const Ran ran = train_with("FAULT_AT=" + std::to_string(call) + " FAULT_RANK=" + std::to_string(rank), ranks);
      EXPECT_EQ(ran.code, 8) << where << ran.err;
      expect_the_last_whole(where);
    }
  }
}

TEST_F(WritingCheckpoints, AFullDiskOfOneRankIsReportedOnceWithItsRank) {
  const int first = calls(1, 3) / 4;
  const Ran ran = train_with("FAULT_KIND=full FAULT_RANK=1 FAULT_AT=" + std::to_string(first + 2), 3);
  EXPECT_EQ(ran.code, 6) << ran.err;
  const std::size_t at = ran.err.find("No space left on device");
  ASSERT_NE(at, std::string::npos) << ran.err;
  EXPECT_EQ(at, ran.err.rfind("No space left on device")) << ran.err;
  EXPECT_NE(ran.err.find("(rank 1 on "), std::string::npos) << ran.err;
  expect_the_last_whole("after a full disk");
}

}  // namespace
}  // namespace testing
}  // namespace thalweg
