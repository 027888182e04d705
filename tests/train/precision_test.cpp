// Training with values stored in bf16: the same bits for any number of threads, for any kept values, and after a
// resume; parameters, evaluation and predictions are f32.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/engine.hpp"
#include "engine/step_needs.hpp"
#include "evaluate.hpp"
#include "gradient_bits.hpp"
#include "moons.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// Rows of tokens in which each token is a function of the two before it.
Dataset text(std::int64_t rows, std::int64_t time) {
  std::vector<std::vector<std::int32_t>> all;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<std::int32_t> line = {static_cast<std::int32_t>(row % 7), static_cast<std::int32_t>(row % 5)};
    while (static_cast<std::int64_t>(line.size()) <= time)
      line.push_back((line[line.size() - 1] + 2 * line[line.size() - 2] + 1) % 9);
    all.push_back(std::move(line));
  }
  std::vector<std::int32_t> input, target;
  for (const auto& line : all) {
    input.insert(input.end(), line.begin(), line.end() - 1);
    target.insert(target.end(), line.begin() + 1, line.end());
  }
  Dataset data;
  data.set("input", Tensor::from(input, {rows, time}));
  data.set("target", Tensor::from(target, {rows, time}));
  return data;
}

ModelFunction gpt() { return nn::gpt(9, {.layers = 2, .width = 16, .heads = 2, .context = 20, .dropout = 0.1}); }
Trainer trainer_of(int threads = 1) {
  return Trainer(gpt(), loss::cross_entropy, optim::adamw({.lr = 1e-2, .clip_norm = 1}), threads);
}

Tensor trained(int threads, const FitOptions& options) {
  Trainer trainer = trainer_of(threads);
  (void)trainer.fit(text(30, 20), options);
  return trainer.state().parameters;
}

TEST(Precision, TheSameBitsForAnyNumberOfThreads) {
  const FitOptions options{.epochs = 2, .batch_size = 8, .shard_size = 3, .precision = Precision::bf16};
  const Tensor wanted = trained(1, options);
  for (const int threads : {2, 3, 4}) EXPECT_TRUE(identical(trained(threads, options), wanted)) << threads;
  FitOptions single = options;
  single.precision = Precision::single;
  EXPECT_FALSE(identical(trained(1, single), wanted));
}

TEST(Precision, TheSameBitsForAnyRecomputation) {
  FitOptions options{.epochs = 1, .batch_size = 10, .memory = Memory::keep, .precision = Precision::bf16};
  const Tensor wanted = trained(1, options);
  for (const Memory memory : {Memory::fast, Memory::lean}) {
    options.memory = memory;
    EXPECT_TRUE(identical(trained(1, options), wanted));
  }
}

TEST(Precision, TheSameBitsForAnyPassesOfThePlanner) {
  testing::expect_the_same_bits_however_planned(gpt(), loss::cross_entropy, text(4, 20), Precision::bf16);
}

TEST(Precision, AResumedRunHasTheSameBits) {
  const auto folder = std::filesystem::temp_directory_path() / ("thalweg-precision-" + std::to_string(::getpid()));
  FitOptions options{.epochs = 3, .batch_size = 8, .precision = Precision::bf16, .checkpoint_every = 1};
  const Tensor wanted = trained(2, options);
  options.checkpoints = folder;
  options.stop_after = 6;  // in the middle of the second epoch
  (void)trained(2, options);
  options.stop_after = 0;
  options.resume = true;
  EXPECT_TRUE(identical(trained(1, options), wanted));
  std::filesystem::remove_all(folder);
}

TEST(Precision, ParametersAndEvaluationAreF32) {
  Trainer trainer = trainer_of();
  const Dataset data = text(30, 20);
  (void)trainer.fit(data, {.epochs = 1, .batch_size = 8, .precision = Precision::bf16});
  const Tensor& parameters = trainer.state().parameters;
  EXPECT_EQ(parameters.dtype(), f32);
  Tensor rounded(parameters.shape(), f32);
  round_to_bf16(rounded.mutable_values<float>().data(), parameters.values<float>().data(), parameters.size());
  EXPECT_FALSE(identical(rounded, parameters));
  Trainer other = trainer_of();
  other.init(data, 1);
  other.set_state(trainer.state());
  EXPECT_EQ(other.evaluate(data).metrics, trainer.evaluate(data).metrics);
}

TEST(Precision, LearnsAsWellAsF32) {
  const Dataset data = text(200, 20);
  std::vector<double> losses;
  for (const Precision precision : {Precision::single, Precision::bf16}) {
    Trainer trainer = trainer_of();
    (void)trainer.fit(data, {.epochs = 10, .batch_size = 20, .precision = precision});
    losses.push_back(trainer.evaluate(data)["loss"]);
  }
  EXPECT_LT(losses[1], 1.5);  // the entropy is ln 9 = 2.2 if only one previous token is known
  EXPECT_NEAR(losses[1], losses[0], 0.1 * losses[0] + 0.02);
}

TEST(Precision, AStepNeedsLessMemory) {
  const Dataset data = text(16, 20);
  const auto function = evaluation_of(gpt(), loss::cross_entropy);
  const auto needs = [&](Precision precision) {
    return needs_of_step(function, optim::adamw(), data, {.batch = 16, .rows_a_step = 16}, 16, Memory::fast, 1,
                         precision);
  };
  const StepNeeds bf16 = needs(Precision::bf16), single = needs(Precision::single);
  EXPECT_EQ(single.bf16_values, 0);
  EXPECT_GT(bf16.bf16_values, 20);
  EXPECT_LT(bf16.shard_bytes, single.shard_bytes);
  EXPECT_EQ(bf16.parameter_bytes, single.parameter_bytes);
  EXPECT_EQ(bf16.gradient_bytes, single.gradient_bytes);
  EXPECT_EQ(bf16.slot_bytes, single.slot_bytes);
}

std::string refusal(const std::function<void()>& what) {
  try {
    what();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Precision, UnsupportedCasesAreRefusedByName) {
  const FitOptions options{.epochs = 1, .batch_size = 8, .precision = Precision::bf16};
  const std::string recurrent = refusal([&] {
    Trainer trainer(nn::lstm_model(9, {.layers = 1, .width = 16}), loss::cross_entropy, optim::adamw());
    (void)trainer.fit(text(8, 20), options);
  });
  EXPECT_NE(recurrent.find("'lstm'"), std::string::npos) << recurrent;
  const std::string method = refusal([&] {
    Trainer trainer(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy, optim::lbfgs());
    (void)trainer.fit(two_moons(20), options);
  });
  EXPECT_NE(method.find("[lbfgs] precision"), std::string::npos) << method;
  const std::string wide = refusal([&] {
    const auto model = nn::mlp(2, {.hidden = {8}});
    const Dataset data = two_moons(20);
    TrainStep step(objective_of(model, loss::cross_entropy), optim::adamw(), 1);
    const State state = step.init(data, 1, f64);
    Programs programs({evaluation_of(model, loss::cross_entropy)}, nullptr);
    programs.set_precision(Precision::bf16);
    const auto part = stepped_part(optim::adamw(), *state.layout);
    (void)programs.make(20, data, *state.layout, step_layout(*state.layout, {part}));
  });
  EXPECT_NE(wide.find("f64"), std::string::npos) << wide;
}

/// 3.4e38 is finite in f32, but rounds to infinity in bf16.
TEST(Precision, TheErrorNamesNumbersThatOverflowOnlyInBf16) {
  Dataset data;
  data.set("input", full({4, 1}, 3.4e38));
  const Objective objective = [](Scope s, const Batch& b) {
    const Var w = s.parameter("w", {1, 1}, {.initializer = init::constant(1e-38)});
    return Loss::of_samples(sum(matmul(b["input"], w), -1) * 1e-3);
  };
  std::string message;
  try {
    Trainer trainer(objective, optim::sgd({.lr = 1e-40}), 1);
    (void)trainer.fit(data, {.epochs = 1, .batch_size = 4, .precision = Precision::bf16});
  } catch (const NumericError& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("Hint: precision = \"f32\", in which each op of this step is finite"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace thalweg
