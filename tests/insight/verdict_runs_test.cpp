// Verdicts on real trainings that are set up to diverge, crawl, be cut short, converge or overfit.

#include <gtest/gtest.h>

#include <cmath>

#include "insight/verdict.hpp"
#include "moons.hpp"

namespace thalweg {
namespace {

using enum VerdictKind;

/// y = x1 + 2 x2 + 3 x3 + 4 x4 plus noise with a deviation of 0.1.
Dataset noisy_line(std::int64_t rows) {
  const Tensor x = random_normal({rows, 5}, 3);
  std::vector<float> inputs, targets;
  for (std::int64_t i = 0; i < rows; ++i) {
    double y = 0.1 * x.at(5 * i + 4);
    for (std::int64_t j = 0; j < 4; ++j) {
      inputs.push_back(static_cast<float>(x.at(5 * i + j)));
      y += static_cast<double>(j + 1) * x.at(5 * i + j);
    }
    targets.push_back(static_cast<float>(y));
  }
  Dataset data;
  data.set("input", Tensor::from(std::span<const float>(inputs), {rows, 4}));
  data.set("target", Tensor::from(std::span<const float>(targets), {rows, 1}));
  return data;
}

Verdict verdict_of_line(const Optimizer& optimizer, const FitOptions& options) {
  Trainer trainer(nn::linear(1), loss::mse, optimizer, 1);
  return judge(trainer.fit(noisy_line(400), options));
}

Verdict verdict_of_moons(const Optimizer& optimizer, const FitOptions& options) {
  Trainer trainer(nn::mlp(2, {.hidden = {32, 32}}), loss::cross_entropy, optimizer, 1);
  return judge(trainer.fit(two_moons(400), options));
}

double value_of(const Verdict& verdict, std::string_view evidence) {
  for (const Evidence& e : verdict.evidence) {
    if (e.name == evidence) return e.value;
  }
  ADD_FAILURE() << "no evidence " << evidence << ": " << verdict.sentence;
  return std::nan("");
}

TEST(VerdictOfARun, ARateThatIsTooHighDiverged) {
  // full-batch descent is unstable above a rate of about 1, but the loss is still finite after the last step
  const Verdict line = verdict_of_line(optim::sgd({.lr = 1.3}), {.epochs = 30, .batch_size = 0});
  EXPECT_EQ(line.kind, diverged) << line.sentence;
  EXPECT_GT(value_of(line, "rise"), 1);
  const Verdict moons = verdict_of_moons(optim::adam({.lr = 50}), {.epochs = 10});
  EXPECT_EQ(moons.kind, diverged) << moons.sentence;
}

TEST(VerdictOfARun, ARateThatIsTooLowCrawls) {
  const Verdict line = verdict_of_line(optim::sgd({.lr = 1e-5}), {.epochs = 20});
  EXPECT_EQ(line.kind, crawling) << line.sentence;
  const Verdict moons = verdict_of_moons(optim::adamw({.lr = 1e-6, .schedule = schedule::cosine()}), {.epochs = 10});
  EXPECT_EQ(moons.kind, crawling) << moons.sentence;
}

TEST(VerdictOfARun, AShortRunIsStillFalling) {
  const Verdict line = verdict_of_line(optim::sgd({.lr = 3e-3}), {.epochs = 10, .validation = 0.2});
  EXPECT_EQ(line.kind, still_falling) << line.sentence;
  EXPECT_GT(value_of(line, "late_gain"), 0.02);
  const Verdict moons = verdict_of_moons(optim::adam({.lr = 1e-3}), {.epochs = 8, .validation = 0.2});
  EXPECT_EQ(moons.kind, still_falling) << moons.sentence;
}

TEST(VerdictOfARun, AScheduleDoesNotMakeAShortRunALongOne) {
  const Verdict verdict =
      verdict_of_moons(optim::adam({.lr = 6e-4, .schedule = schedule::linear()}), {.epochs = 8, .validation = 0.2});
  EXPECT_EQ(verdict.kind, schedule_ended) << verdict.sentence;
}

TEST(VerdictOfARun, ARunThatReachedTheNoiseLevelConverged) {
  const Verdict line = verdict_of_line(optim::sgd({.lr = 0.1}), {.epochs = 20, .validation = 0.2});
  EXPECT_EQ(line.kind, converged) << line.sentence;
  EXPECT_LT(value_of(line, "late_gain"), 0.02);
  EXPECT_LT(value_of(line, "gradient_ratio"), 0.2);
}

TEST(VerdictOfARun, AModelThatMemorisesNoiseOverfits) {
  Dataset chance = two_moons(120);
  Tensor labels({120}, i32);
  for (std::int64_t i = 0; i < 120; ++i) labels.set(i, static_cast<double>(i * i * 7 % 11 < 5));
  chance.set("target", labels);
  Trainer trainer(nn::mlp(2, {.hidden = {64, 64}}), loss::cross_entropy, optim::adam({.lr = 1e-2}), 1);
  const Verdict verdict = judge(trainer.fit(chance, {.epochs = 100, .validation = 0.4}));
  EXPECT_EQ(verdict.kind, overfitting) << verdict.sentence;
  EXPECT_GT(value_of(verdict, "validation_rise"), 0.08);
  EXPECT_GT(value_of(verdict, "training_fall"), 0);
}

}  // namespace
}  // namespace thalweg
