#include <gtest/gtest.h>
#include <filesystem>

#include "moons.hpp"
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
  /// A run of 16 steps, stopped after the seventh: checkpoints of steps 6 and 7 are kept.
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
  /// The parameters at the end of a run that nothing befell.
  [[nodiscard]] Tensor undisturbed() const {
    Trainer whole = trainer();
    (void)whole.fit(data_, {.epochs = 4, .batch_size = 16});
    return whole.state().parameters;
  }

  Dataset data_ = two_moons(64);
  std::string newest_;
};

TEST_F(Checkpoints, AFlippedBitIsPassedOverForTheOneBefore) {
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
      EXPECT_EQ(rest.steps.front().step, 7) << "it goes on behind the checkpoint of step 6";
      EXPECT_TRUE(identical(resumed.state().parameters, undisturbed()));
    }
  }
}

TEST_F(Checkpoints, ACutOrMissingFileIsPassedOverToo) {
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

TEST_F(Checkpoints, WhereAllAreDamagedTheRunBeginsAgain) {
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

}  // namespace
}  // namespace thalweg
