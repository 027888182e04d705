#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

Dataset two_moons(std::int64_t rows) {
  const Tensor noise = random_normal({rows, 2}, 5);
  std::vector<float> x;
  std::vector<std::int32_t> y;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double angle = 3.14159265 * static_cast<double>(i / 2) / (static_cast<double>(rows) / 2);
    const bool lower = i % 2;
    x.push_back(static_cast<float>((lower ? 1 - std::cos(angle) : std::cos(angle)) + 0.1 * noise.at(2 * i)));
    x.push_back(static_cast<float>((lower ? 0.5 - std::sin(angle) : std::sin(angle)) + 0.1 * noise.at(2 * i + 1)));
    y.push_back(lower);
  }
  return Dataset::from(std::span<const float>(x), {rows, 2}, std::span<const std::int32_t>(y));
}

Trainer moons_trainer(int threads = 1) {
  return Trainer(nn::mlp(2, {.hidden = {32, 32}}), loss::cross_entropy,
                 optim::adamw({.lr = 1e-2, .clip_norm = 1, .schedule = schedule::one_cycle()}), threads);
}

TEST(Trainer, LearnsTwoMoons) {
  Trainer trainer = moons_trainer();
  const History history = trainer.fit(two_moons(400), {.epochs = 20, .validation = 0.2});
  EXPECT_EQ(history.epochs.size(), 20U);
  EXPECT_EQ(history.steps.size(), 200U);
  EXPECT_GT(trainer.evaluate(two_moons(300))["accuracy"], 0.97);
}

TEST(Trainer, SameBitsForAnyNumberOfThreads) {
  const Dataset data = two_moons(403);  // the last batch is smaller
  Tensor wanted;
  for (int threads : {1, 2, 3, 4}) {
    Trainer trainer = moons_trainer(threads);
    (void)trainer.fit(data, {.epochs = 3, .batch_size = 64, .shard_size = 10});
    if (threads == 1) wanted = trainer.state().parameters;
    EXPECT_TRUE(identical(trainer.state().parameters, wanted)) << threads << " threads";
  }
}

TEST(Trainer, AccumulationIsTheLargeBatchBitForBit) {
  const Dataset data = two_moons(384);
  Trainer small = moons_trainer(), large = moons_trainer();
  (void)small.fit(data, {.epochs = 2, .batch_size = 32, .shard_size = 16, .accumulate = 4});
  (void)large.fit(data, {.epochs = 2, .batch_size = 128, .shard_size = 16});
  EXPECT_TRUE(identical(small.state().parameters, large.state().parameters));
}

TEST(Trainer, ResumesWithTheSameBitsWhereverItStopped) {
  const Dataset data = two_moons(200);
  const auto folder = std::filesystem::temp_directory_path() / ("thalweg-resume-" + std::to_string(::getpid()));
  const FitOptions options{
      .epochs = 4, .batch_size = 32, .validation = 0.2, .early_stopping = EarlyStopping{.patience = "10 epochs"}};
  Trainer whole = moons_trainer();
  const History undisturbed = whole.fit(data, options);
  for (std::int64_t stop : {1, 5, 7, 13, 19}) {
    std::filesystem::remove_all(folder);
    FitOptions first = options;
    first.checkpoints = folder;
    first.stop_after = stop;
    first.checkpoint_every = "3 steps";
    Trainer stopped = moons_trainer();
    EXPECT_EQ(stopped.fit(data, first).reason, StopReason::stop_after);
    FitOptions second = first;
    second.stop_after = 0;
    second.resume = true;
    Trainer resumed = moons_trainer(2);
    const History rest = resumed.fit(data, second);
    for (const std::string& warning : rest.warnings) ADD_FAILURE() << warning;
    EXPECT_EQ(rest.steps.front().step, stop + 1);
    EXPECT_TRUE(identical(resumed.state().parameters, whole.state().parameters)) << "stopped after step " << stop;
    EXPECT_EQ(rest.epochs.back().metrics, undisturbed.epochs.back().metrics);
  }
  std::filesystem::remove_all(folder);
}

TEST(Trainer, ALastSmallerBatchCountsEverySampleOnce) {
  // With the whole set as one batch or in uneven shards, the first step sees the same gradient up to rounding.
  const Dataset data = two_moons(101);
  auto step = train_step(objective_of(nn::linear(2), loss::cross_entropy), optim::sgd({.lr = 0.1}), 1);
  State a = step.init(data, 1), b = a;
  const StepReport whole = step(a, data, {}, 101), cut = step(b, data, {}, 7);
  EXPECT_NEAR(whole.loss, cut.loss, 1e-6);
  EXPECT_NEAR(whole.gradient_norm, cut.gradient_norm, 1e-6);
}

TEST(Trainer, AnObjectiveThatMixesSamplesIsOneShard) {
  const Objective contrastive = [](Scope s, const Batch& b) {
    const Var z = nn::dense(s / "layer", b["input"], 4);
    return Loss::of_samples(logsumexp(matmul(z, z, false, true), -1));  // each sample against all others
  };
  const Dataset data = two_moons(40);
  auto step = train_step(contrastive, optim::sgd({.lr = 0.1}), 2);
  State whole = step.init(data, 1), asked_for_shards = whole;
  step(whole, data, {}, 40);
  step(asked_for_shards, data, {}, 8);
  EXPECT_TRUE(identical(whole.parameters, asked_for_shards.parameters));
}

TEST(Trainer, EarlyStoppingRestoresTheBest) {
  Trainer trainer = moons_trainer();
  const Dataset data = two_moons(60);
  const History history =
      trainer.fit(data, {.epochs = 200, .validation = 0.3, .early_stopping = EarlyStopping{.patience = "5 epochs"}});
  ASSERT_EQ(history.reason, StopReason::stopped_early);
  EXPECT_LT(history.best_epoch, static_cast<std::int64_t>(history.epochs.size()));
}

TEST(Trainer, ARunThatStoppedEarlyIsOverWhenResumed) {
  const auto folder = std::filesystem::temp_directory_path() / ("thalweg-early-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  FitOptions options{.epochs = 200, .validation = 0.3, .early_stopping = EarlyStopping{.patience = "5 epochs"}};
  options.checkpoints = folder;
  Trainer stopped = moons_trainer(), resumed = moons_trainer();
  ASSERT_EQ(stopped.fit(two_moons(60), options).reason, StopReason::stopped_early);
  options.resume = true;
  const History rest = resumed.fit(two_moons(60), options);
  EXPECT_TRUE(rest.steps.empty());
  EXPECT_EQ(rest.reason, StopReason::stopped_early);
  EXPECT_TRUE(identical(resumed.state().parameters, stopped.state().parameters));
  std::filesystem::remove_all(folder);
}

TEST(Trainer, NamesWhatIsNotFinite) {
  Dataset data = two_moons(32);
  Trainer trainer([](Scope s, Var x) { return log(nn::dense(s / "layer", x, 2) * 0 - 1); }, loss::cross_entropy,
                  optim::sgd({.lr = 0.1}), 1);
  try {
    (void)trainer.fit(data, {.epochs = 1});
    FAIL() << "nothing was thrown";
  } catch (const NumericError& error) {
    EXPECT_NE(std::string(error.what()).find("step 1"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("'log' (trainer_test.cpp:"), std::string::npos) << error.what();
  }
}

TEST(Trainer, RefusesAParameterThatTheLossDoesNotDependOn) {
  Trainer trainer(
      [](Scope s, Var x) {
        (void)s.parameter("lonely", {3});
        return nn::dense(s / "layer", x, 2);
      },
      loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  try {
    (void)trainer.fit(two_moons(32), {.epochs = 1});
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'lonely'"), std::string::npos) << error.what();
  }
}

TEST(Trainer, SavesAndLoads) {
  const auto path =
      std::filesystem::temp_directory_path() / ("thalweg-save-" + std::to_string(::getpid()) + ".safetensors");
  Trainer trainer = moons_trainer(), other = moons_trainer();
  (void)trainer.fit(two_moons(64), {.epochs = 1});
  trainer.save(path);
  other.load(path, two_moons(4));
  EXPECT_TRUE(identical(trainer.state().parameters, other.state().parameters));
  EXPECT_TRUE(identical(trainer.predict(two_moons(30)), other.predict(two_moons(30))));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace thalweg
