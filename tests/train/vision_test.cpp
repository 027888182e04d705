// Trainings of image models: against PyTorch, with any number of threads, and resumed in the middle.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "gradient_bits.hpp"
#include "reference_file.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/thalweg.hpp"
#include "thalweg/vision.hpp"

namespace thalweg {
namespace {

using nlohmann::json;

Tensor tensor_of(const json& value) {
  return Tensor::from(value["values"].get<std::vector<double>>(),
                      Shape(value["shape"].get<std::vector<std::int64_t>>()));
}

Dataset batch_of(const json& batch) {
  Dataset data;
  data.set("input", tensor_of(batch["input"]));
  data.set("target", tensor_of(batch["target"]).to(i32));
  return data;
}

/// The ResNet of tests/reference/resnet.py with its initial weights.
class ResnetAgainstPyTorch : public ::testing::Test {
 protected:
  const json reference_ = testing::reference("resnet");
  const ModelFunction model_ = nn::resnet(reference_["classes"].get<std::int64_t>(),
                                          {.blocks = reference_["blocks"].get<std::vector<std::int64_t>>(),
                                           .width = reference_["width"].get<std::int64_t>()});
  const Optimizer optimizer_ =
      optim::adamw({.lr = reference_["lr"].get<double>(), .weight_decay = reference_["weight_decay"].get<double>()});

  void set_first_weights(State& state) const {
    std::size_t set = 0;
    for (const auto& [name, value] : reference_["weights"].items()) {
      state.set_parameter(name, tensor_of(value));
      ++set;
    }
    for (const ParameterEntry& entry : state.layout->entries) set -= !entry.statistic;
    ASSERT_EQ(set, 0U) << "the reference has other parameters";
  }
};

TEST_F(ResnetAgainstPyTorch, HasTheSameLossesOver50StepsOfAdamW) {
  TrainStep step(objective_of(model_, loss::cross_entropy), optimizer_, 2);
  const auto& batches = reference_["batches"];
  State state = step.init(batch_of(batches[0]), 1, f64);
  set_first_weights(state);
  const auto losses = reference_["losses"].get<std::vector<double>>();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const Dataset batch = batch_of(batches[i % batches.size()]);
    const double loss = step(state, batch, {}, batch.rows()).loss;
    EXPECT_NEAR(loss, losses[i], i == 0 ? 1e-10 : 1e-6) << "step " << i + 1;
  }
  for (const auto& [name, value] : reference_["statistics"].items())
    EXPECT_LE(distance(state.parameter(name), tensor_of(value)), 1e-6) << name;

  Trainer trainer(model_, loss::cross_entropy, optimizer_, 1);
  trainer.set_state(state);
  const Tensor probabilities = trainer.predict(batch_of(batches[0])), logits = tensor_of(reference_["logits_after"]);
  const std::int64_t classes = logits.shape()[-1];
  for (std::int64_t i = 0; i < logits.size(); ++i) {
    double total = 0;
    for (std::int64_t c = 0; c < classes; ++c) total += std::exp(logits.at(i / classes * classes + c));
    EXPECT_NEAR(probabilities.at(i), std::exp(logits.at(i)) / total, 1e-6);  // computed with the running statistics
  }
}

struct Kind {
  const char* name;
  ModelFunction model;
  LossFunction loss;
};

std::vector<Kind> kinds() {
  const nn::LayersOptions layers{.layers = {{{"kind", {"conv2d"}}, {"filters", {std::int64_t{5}}}},
                                            {{"kind", {"batch_norm"}}},
                                            {{"kind", {"activation"}}},
                                            {{"kind", {"avg_pool2d"}}},
                                            {{"kind", {"dropout"}}, {"rate", {0.2}}}}};
  return {{"convnet", nn::convnet(3, {.filters = {4, 6}, .hidden = {10}, .dropout = 0.3}), loss::cross_entropy},
          {"resnet", nn::resnet(3, {.blocks = {1, 1}, .width = 6, .dropout = 0.2}), loss::cross_entropy},
          {"bottleneck", nn::resnet(3, {.blocks = {1, 1}, .width = 3, .block = "bottleneck"}), loss::cross_entropy},
          {"layers", nn::layers(3, layers), loss::cross_entropy},
          {"augmented",
           [inner = nn::convnet(3, {.filters = {4}, .hidden = {}})](Scope s, Var x) {
             return inner(s, augment(s, x, {.flip = true, .crop = 1, .cutout = 2}));
           },
           loss::cross_entropy},
          {"unet", nn::unet(9 * 7, {.levels = 2, .width = 4}), loss::mse}};
}

/// Images of 9 x 7, whose targets are classes or the images themselves.
Dataset images(std::int64_t rows, const Kind& kind) {
  Dataset data;
  const Tensor input = random_normal({rows, 9, 7, 1}, 3);
  data.set("input", input);
  data.set("target", kind.loss.task() == Task::regression ? input : random_uniform({rows}, 0, 3, 4, f64).to(i32));
  return data;
}

class VisionKinds : public ::testing::TestWithParam<std::size_t> {
 protected:
  const Kind kind_ = kinds()[GetParam()];
  Trainer trainer(int threads) const { return {kind_.model, kind_.loss, optim::adamw({.lr = 1e-3}), threads}; }
};

TEST_P(VisionKinds, SameBitsForAnyNumberOfThreads) {
  const auto after = [&](int threads) {
    TrainStep step(objective_of(kind_.model, kind_.loss), optim::adamw({.lr = 1e-3}), threads);
    const Dataset data = images(11, kind_);
    State state = step.init(data, 1);
    for (int i = 0; i < 3; ++i) (void)step(state, data, {}, 4);
    return state;
  };
  const State one = after(1);
  for (int threads : {2, 3, 4}) EXPECT_TRUE(identical(after(threads).parameters, one.parameters)) << threads;
}

TEST_P(VisionKinds, SameBitsForAnyPassesOfThePlanner) {
  testing::expect_the_same_bits_however_planned(kind_.model, kind_.loss, images(5, kind_));
}

TEST_P(VisionKinds, ResumeInTheMiddleOfAnEpochGivesTheSameBits) {
  const Dataset data = images(22, kind_);
  const auto folder =
      std::filesystem::temp_directory_path() / ("thalweg-vision-" + std::to_string(::getpid()) + "-" + kind_.name);
  const FitOptions options{.epochs = 3, .batch_size = 5, .shard_size = 3, .validation = 0.1};
  Trainer whole = trainer(1);
  (void)whole.fit(data, options);
  FitOptions first = options;
  first.checkpoints = folder;
  first.checkpoint_every = "2 steps";
  first.stop_after = 6;
  Trainer stopped = trainer(2);
  (void)stopped.fit(data, first);
  first.stop_after = 0;
  first.resume = true;
  Trainer resumed = trainer(1);
  EXPECT_EQ(resumed.fit(data, first).steps.front().step, 7);
  EXPECT_TRUE(identical(resumed.state().parameters, whole.state().parameters));
  std::filesystem::remove_all(folder);
}

TEST_P(VisionKinds, LearnsToOverfitAFewImages) {
  const Dataset data = images(8, kind_);
  Trainer trainer(kind_.model, kind_.loss, optim::adamw({.lr = 1e-2}), 1);
  trainer.init(data, 1);
  const double before = trainer.evaluate(data)["loss"];
  (void)trainer.fit(data, {.epochs = 150, .batch_size = 8, .shard_size = 8});
  EXPECT_LT(trainer.evaluate(data)["loss"], before / 2);
}

TEST_P(VisionKinds, OneSampleIsABatch) {
  TrainStep step(objective_of(kind_.model, kind_.loss), optim::adamw({.lr = 1e-3}), 1);
  const Dataset data = images(1, kind_);
  State state = step.init(data, 1);
  EXPECT_TRUE(std::isfinite(step(state, data).loss));
}

INSTANTIATE_TEST_SUITE_P(All, VisionKinds, ::testing::Range<std::size_t>(0, 6),
                         [](const auto& index) { return std::string(kinds()[index.param].name); });

/// A running statistic shows how much the augmentation changes an image.
TEST(Augmentation, ChangesImagesOnlyInTraining) {
  const AugmentOptions options{.flip = true, .crop = 2, .cutout = 3};
  const ModelFunction model = [=](Scope s, Var x) {
    const Var y = augment(s, x, options);
    (void)s.statistic("changed", {}, 0);
    s.observe("changed", mean(abs(y - x)), 1);
    return nn::dense(s / "out", flatten(y), 1);
  };
  Dataset data;
  data.set("input", random_normal({16, 6, 5, 2}, 1));
  data.set("target", random_normal({16, 1}, 2));
  TrainStep step(objective_of(model, loss::mse), optim::sgd({.lr = 1e-3}), 1);
  State state = step.init(data, 1);
  const auto changed = [&](std::int64_t at_step) {
    state.step = at_step;
    (void)step(state, data);
    return state.parameter("changed").item();
  };
  const double first = changed(0), second = changed(1);
  EXPECT_GT(first, 0.1);
  EXPECT_NE(first, second);
  EXPECT_EQ(changed(0), first);  // depends only on step and seed
  Trainer trainer(model, loss::mse, optim::sgd({.lr = 1e-3}), 1);
  trainer.set_state(state);
  const Tensor weight = state.parameter("out/weight"), predicted = trainer.predict(data);
  double expected = state.parameter("out/bias").at(0);
  for (std::int64_t i = 0; i < weight.size(); ++i) expected += weight.at(i) * data["input"].at(i);
  EXPECT_NEAR(predicted.at(0), expected, 1e-4);
}

TEST(Convolution, BatchStatisticsDoNotMakeTheStepOneShard) {
  // each shard has its own statistics, so the loss differs from that of the whole batch
  const Kind kind = kinds()[0];
  const Dataset data = images(12, kind);
  const auto loss_of = [&](std::int64_t shard_size) {
    TrainStep step(objective_of(nn::convnet(3, {.filters = {4}, .hidden = {}}), kind.loss), optim::sgd({.lr = 1}), 1);
    State state = step.init(data, 1, f64);
    return step(state, data, {}, shard_size).loss;
  };
  EXPECT_GT(std::abs(loss_of(4) - loss_of(12)), 1e-6);
}

TEST(Convolution, WithoutNormalisationShardsGiveTheWholeBatchsGradient) {
  const Kind kind = kinds()[0];
  const Dataset data = images(12, kind);
  const auto after = [&](std::int64_t shard_size) {
    const auto model = nn::convnet(3, {.filters = {4, 6}, .batch_norm = false, .hidden = {10}});
    TrainStep step(objective_of(model, kind.loss), optim::sgd({.lr = 0.1}), 1);
    State state = step.init(data, 1, f64);
    for (int i = 0; i < 3; ++i) (void)step(state, data, {}, shard_size);
    return state.parameters;
  };
  EXPECT_LE(distance(after(5), after(12)), 1e-12);
}

}  // namespace
}  // namespace thalweg
