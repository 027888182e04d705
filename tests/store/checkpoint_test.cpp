#include "store/checkpoint.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "moons.hpp"
#include "store/safetensors.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

class Checkpoints : public testing::TemporaryFolderTest {
 protected:
  [[nodiscard]] static Trainer trainer() {
    return Trainer(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy, optim::adam({.lr = 1e-2}), 1);
  }
  [[nodiscard]] FitOptions options() const {
    FitOptions options{.epochs = 4, .batch_size = 16};
    options.checkpoints = path("checkpoints");
    options.checkpoint_every = "2 steps";
    return options;
  }
  /// Trains 16 steps, but stops after the seventh. The checkpoints of steps 6 and 7 are kept.
  void stop_in_the_middle() const {
    FitOptions first = options();
    first.stop_after = 7;
    Trainer stopped = trainer();
    ASSERT_EQ(stopped.fit(data_, first).reason, StopReason::stop_after);
  }
  [[nodiscard]] History resume(Trainer& resumed) const {
    FitOptions second = options();
    second.resume = true;
    return resumed.fit(data_, second);
  }
  [[nodiscard]] std::string newest(const std::string& file) const { return "checkpoints/" + newest_ + "/" + file; }
  void flip_bit(const std::string& file, double part) const {
    std::string bytes = read(file);
    bytes[static_cast<std::size_t>(part * static_cast<double>(bytes.size() - 1))] ^= 4;
    write(file, bytes);
  }
  void find_newest() {
    for (const auto& entry : std::filesystem::directory_iterator(path("checkpoints"))) {
      newest_ = std::max(newest_, entry.path().filename().string());
    }
  }
  /// The parameters at the end of an uninterrupted run.
  [[nodiscard]] Tensor undisturbed() const {
    Trainer whole = trainer();
    (void)whole.fit(data_, {.epochs = 4, .batch_size = 16});
    return whole.state().parameters;
  }

  Dataset data_ = two_moons(64);
  std::string newest_;
};

TEST_F(Checkpoints, OneWithAFlippedBitIsSkippedForTheOneBefore) {
  for (const char* file : {"state.safetensors", "manifest.json"}) {
    for (double part : {0.0, 0.3, 0.6, 0.9, 1.0}) {
      std::filesystem::remove_all(path("checkpoints"));
      stop_in_the_middle();
      find_newest();
      flip_bit(newest(file), part);
      Trainer resumed = trainer();
      const History rest = resume(resumed);
      ASSERT_EQ(rest.warnings.size(), 1U) << file << " at " << part;
      EXPECT_NE(rest.warnings[0].find("passed over"), std::string::npos) << rest.warnings[0];
      EXPECT_NE(rest.warnings[0].find(newest_), std::string::npos) << rest.warnings[0];
      EXPECT_EQ(rest.steps.front().step, 7) << "it must continue after the checkpoint of step 6";
      EXPECT_TRUE(identical(resumed.state().parameters, undisturbed()));
    }
  }
}

TEST_F(Checkpoints, OneWithATruncatedOrMissingFileIsSkippedToo) {
  for (const char* file : {"state.safetensors", "manifest.json"}) {
    for (const bool missing : {false, true}) {
      std::filesystem::remove_all(path("checkpoints"));
      stop_in_the_middle();
      find_newest();
      if (missing) {
        std::filesystem::remove(path(newest(file)));
      } else {
        write(newest(file), read(newest(file)).substr(0, 40));
      }
      Trainer resumed = trainer();
      const History rest = resume(resumed);
      EXPECT_EQ(rest.warnings.size(), 1U) << file;
      EXPECT_EQ(rest.steps.front().step, 7) << file;
    }
  }
}

TEST_F(Checkpoints, IfAllAreDamagedTheRunStartsAgain) {
  stop_in_the_middle();
  for (const auto& entry : std::filesystem::directory_iterator(path("checkpoints"))) {
    flip_bit("checkpoints/" + entry.path().filename().string() + "/state.safetensors", 0.8);
  }
  Trainer resumed = trainer();
  const History rest = resume(resumed);
  EXPECT_EQ(rest.warnings.size(), 2U);
  EXPECT_EQ(rest.steps.front().step, 1);
  EXPECT_TRUE(identical(resumed.state().parameters, undisturbed()));
}

/// Checkpoints with wrong content and valid checksums, as an attacker could write them.
class CraftedCheckpoints : public Checkpoints {
 protected:
  using Json = nlohmann::json;

  [[nodiscard]] static std::uint32_t checksum(std::string_view bytes, std::uint32_t start = 0) {
    return static_cast<std::uint32_t>(
        ::crc32_z(start, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  }
  void begin() {
    std::filesystem::remove_all(path("checkpoints"));
    stop_in_the_middle();
    find_newest();
  }
  void change_manifest(const std::function<void(Json&)>& change) const {
    Json manifest = Json::parse(read(newest("manifest.json")))["manifest"];
    change(manifest);
    write(newest("manifest.json"), Json{{"manifest", manifest}, {"checksum", checksum(manifest.dump())}}.dump());
  }
  void change_tensors(const std::function<void(SafetensorsFile&)>& change) const {
    SafetensorsFile file = read_safetensors(path(newest("state.safetensors")));
    change(file);
    write_safetensors(path(newest("state.safetensors")), file);
    std::uint32_t sum = 0;
    for (const auto& [name, tensor] : file.tensors)
      sum = checksum({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()}, sum);
    change_manifest([&](Json& manifest) { manifest["tensors_checksum"] = sum; });
  }
  /// Expects that the newest is skipped with one warning that contains `what`, and that the run ends with the same
  /// bits.
  void expect_passed_over(const std::string& what) {
    Trainer resumed = trainer();
    const History rest = resume(resumed);
    ASSERT_EQ(rest.warnings.size(), 1U) << what;
    EXPECT_NE(rest.warnings[0].find("passed over"), std::string::npos) << rest.warnings[0];
    EXPECT_NE(rest.warnings[0].find(what), std::string::npos) << rest.warnings[0];
    EXPECT_EQ(rest.steps.front().step, 7) << what << ": it must continue after the checkpoint of step 6";
    EXPECT_TRUE(identical(resumed.state().parameters, undisturbed())) << what;
  }
};

TEST_F(CraftedCheckpoints, ImpossibleCountsAreSkipped) {
  const std::vector<Json> counts = {-1, std::uint64_t{1} << 63, 1e300, 6.5, "7", nullptr, Json::array()};
  for (const Json& count : counts) {
    begin();
    change_manifest([&](Json& manifest) { manifest["step"] = count; });
    expect_passed_over("step");
    begin();
    change_manifest([&](Json& manifest) { manifest["position"]["best_step"] = count; });
    expect_passed_over("best_step");
  }
  for (const Json& seed : {Json(-1), Json(1e300), Json(6.5), Json("7")}) {
    begin();
    change_manifest([&](Json& manifest) { manifest["seed"] = seed; });
    expect_passed_over("seed");
  }
  begin();
  change_manifest([](Json& manifest) { manifest["step"] = 17; });
  expect_passed_over("total_steps = 16");
}

TEST_F(CraftedCheckpoints, ThoseWithoutTheOptimizersSlotsAreSkipped) {
  begin();
  change_tensors([](SafetensorsFile& file) {
    std::erase_if(file.tensors, [](const auto& t) { return t.first != "parameters"; });
  });
  expect_passed_over("slots");
  begin();
  change_tensors([](SafetensorsFile& file) { std::swap(file.tensors[1].first, file.tensors[2].first); });
  expect_passed_over("slot");
  begin();
  change_tensors([](SafetensorsFile& file) { file.tensors[1].second = zeros({1}); });
  expect_passed_over("slot");
}

TEST_F(CraftedCheckpoints, ABlockOfAnotherTypeOrLengthIsSkipped) {
  for (const char* block : {"parameters", "best_parameters"}) {
    for (const bool shorter : {false, true}) {
      begin();
      change_tensors([&](SafetensorsFile& file) {
        const Tensor& own = file.tensor("parameters");
        Tensor other = shorter ? zeros({1}) : zeros({own.size()}, u8);
        std::erase_if(file.tensors, [&](const auto& t) { return t.first == block; });
        file.tensors.emplace_back(block, other);
      });
      expect_passed_over(block);
    }
  }
}

TEST_F(CraftedCheckpoints, ADeeplyNestedManifestIsSkipped) {
  begin();
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  write(newest("manifest.json"), "{\"manifest\":" + deep + ",\"checksum\":1}");
  expect_passed_over("manifest");
}

TEST_F(CraftedCheckpoints, AManifestWithAKeyTwiceIsSkipped) {
  begin();
  const std::string manifest = read(newest("manifest.json"));
  write(newest("manifest.json"), R"({"checksum":1,)" + manifest.substr(manifest.find('{') + 1));
  expect_passed_over("has 'checksum' twice");
}

TEST_F(CraftedCheckpoints, ALaterFormatIsRefusedByName) {
  begin();
  change_manifest([](Json& manifest) { manifest["format"] = 3; });
  Trainer resumed = trainer();
  try {
    (void)resume(resumed);
    FAIL() << "the run started again without an error";
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("is of format 3, and this version of thalweg knows formats up to 2"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(CraftedCheckpoints, OnAnotherCpuTheRunResumesWithANote) {
  begin();
  change_manifest([](Json& manifest) {
    EXPECT_TRUE(manifest["made_on"].contains("instruction set"));
    EXPECT_TRUE(manifest["made_on"].contains("oneDNN"));
    manifest["made_on"]["CPU"] = "Pentium";
  });
  Trainer resumed = trainer();
  const History rest = resume(resumed);
  ASSERT_EQ(rest.warnings.size(), 1U);
  EXPECT_NE(rest.warnings[0].find("CPU: was Pentium, is "), std::string::npos) << rest.warnings[0];
  EXPECT_EQ(rest.steps.front().step, 8) << "this must be a note and not an error";
}

TEST_F(Checkpoints, InfiniteNumbersAreRestored) {
  Trainer made = trainer();
  (void)made.fit(data_, {.epochs = 1, .batch_size = 16});
  Checkpoint written{made.state(), {}, {}, "f"};
  written.position.total_steps = 16;
  written.position.best_value = std::numeric_limits<double>::infinity();
  written.position.plateaus[0].best = -std::numeric_limits<double>::infinity();
  written.position.epoch_loss = std::numeric_limits<double>::quiet_NaN();
  write_checkpoint(path("c"), written, 1);
  std::vector<std::string> warnings;
  const auto found = newest_checkpoint(path("c"), made.state(), "f", warnings);
  ASSERT_TRUE(found) << warnings.at(0);
  EXPECT_EQ(found->position.best_value, written.position.best_value);
  EXPECT_EQ(found->position.plateaus[0].best, written.position.plateaus[0].best);
  EXPECT_TRUE(std::isnan(found->position.epoch_loss));
}

}  // namespace
}  // namespace thalweg
