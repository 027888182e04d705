// A program that gives no fingerprint: a checkpoint of another training is refused, not gone on with.

#include <gtest/gtest.h>

#include "store/checkpoint.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

class Fingerprint : public testing::TemporaryFolderTest {
 protected:
  [[nodiscard]] static Dataset rows() {
    Dataset data;
    data.set("input", random_normal({40, 2}, 1));
    data.set("target", random_normal({40, 1}, 2));
    return data;
  }
  [[nodiscard]] static Optimizer adam() { return optim::adam({.lr = 0.01, .schedule = schedule::cosine()}); }
  [[nodiscard]] FitOptions options() const {
    return {.epochs = 4, .batch_size = 10, .checkpoints = path("checkpoints"), .resume = true};
  }
  static State fit(const Optimizer& optimizer, const FitOptions& options) {
    Trainer trainer([](Scope s, Var x) { return nn::dense(s / "output", x, 1); }, loss::mse, optimizer, 1);
    (void)trainer.fit(rows(), options);
    return trainer.state();
  }
  void expect_refused(const Optimizer& optimizer, const FitOptions& options, const std::string& line) const {
    try {
      (void)fit(optimizer, options);
      ADD_FAILURE() << "went on, although " << line;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(line), std::string::npos) << error.what();
    }
  }
};

TEST_F(Fingerprint, AFinishedTrainingIsNotTakenForAnother) {
  const State finished = fit(adam(), options());
  EXPECT_TRUE(identical(fit(adam(), options()).parameters, finished.parameters));
  expect_refused(optim::sgd({.lr = 0.01}), options(), "optimizer.kind: \"adam\" -> \"sgd\"");
  expect_refused(optim::adam({.lr = 0.02, .schedule = schedule::cosine()}), options(), "optimizer.lr: 0.01 -> 0.02");
  expect_refused(optim::adam({.lr = 0.01, .beta2 = 0.9, .schedule = schedule::cosine()}), options(),
                 "optimizer.beta2: 0.999 -> 0.9");
  expect_refused(optim::adam({.lr = 0.01}), options(), "schedule.kind: \"cosine\" -> \"constant\"");
  Optimizer frozen = adam();
  frozen.groups = {{.pattern = "*/bias", .frozen = true}};
  expect_refused(frozen, options(), "optimizer of */bias.frozen: (not set) -> true");
  FitOptions other = options();
  other.seed = 2;
  expect_refused(adam(), other, "seed: 1 -> 2");
  other = options();
  other.shuffle = false;
  expect_refused(adam(), other, "shuffle: true -> false");
}

TEST_F(Fingerprint, TheLengthOfCheckpointsAndTheirNumberMayChange) {
  const State finished = fit(adam(), options());
  FitOptions other = options();
  other.checkpoint_every = "3 steps";
  other.keep_checkpoints = 5;
  EXPECT_TRUE(identical(fit(adam(), other).parameters, finished.parameters));
}

/// Versions before this one wrote an empty fingerprint where a program gave none.
TEST_F(Fingerprint, ACheckpointWithoutOneIsGoneOnWith) {
  FitOptions part = options();
  part.stop_after = 5;
  const State stopped = fit(adam(), part);
  std::vector<std::string> warnings;
  auto checkpoint = newest_checkpoint(path("checkpoints"), stopped, "", warnings);
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(checkpoint->fingerprint.empty());
  checkpoint->fingerprint.clear();
  write_checkpoint(path("checkpoints"), *checkpoint, 1);
  const State resumed = fit(adam(), options());
  FitOptions whole = options();
  whole.checkpoints = path("whole");
  EXPECT_TRUE(identical(fit(adam(), whole).parameters, resumed.parameters));
}

}  // namespace
}  // namespace thalweg
