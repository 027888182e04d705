#include "insight/gradient_flow.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "insight/verdict.hpp"
#include "moons.hpp"
#include "report/heat.hpp"
#include "run/run.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

History trained(const nn::MlpOptions& model, double lr, std::int64_t shard_size = 0) {
  Trainer trainer(nn::mlp(2, model), loss::cross_entropy, optim::sgd({.lr = lr}), 1);
  return trainer.fit(two_moons(400), {.epochs = 5, .shard_size = shard_size, .layer_norms = true});
}

const std::vector<std::int64_t> deep(30, 16);

TEST(GradientFlow, LayersAreNamedInOrderAndTheirNormsAddUp) {
  const History history = trained({.hidden = {8, 4}, .norm = "batch"}, 0.1, 8);
  EXPECT_EQ(history.layers, (std::vector<std::string>{"layer1", "layer2", "output"}));
  for (const StepReport& step : history.steps) {
    ASSERT_EQ(step.layer_norms.size(), 3U);
    const double whole =
        std::sqrt(std::inner_product(step.layer_norms.begin(), step.layer_norms.end(), step.layer_norms.begin(), 0.0));
    EXPECT_NEAR(whole, step.gradient_norm, 1e-6 * step.gradient_norm);
  }
}

TEST(GradientFlow, IsRecordedOnlyOnRequest) {
  Trainer trainer(nn::mlp(2), loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  const History history = trainer.fit(two_moons(100), {.epochs = 1});
  EXPECT_TRUE(history.layers.empty());
  EXPECT_TRUE(history.steps.front().layer_norms.empty());
  EXPECT_FALSE(gradient_flow(history));
  EXPECT_EQ(heat_html(history, "none"), "");
}

TEST(GradientFlow, RecordingChangesNoBit) {
  Trainer watched(nn::mlp(2), loss::cross_entropy, optim::adam(), 1),
      plain(nn::mlp(2), loss::cross_entropy, optim::adam(), 1);
  (void)watched.fit(two_moons(100), {.epochs = 2, .layer_norms = true});
  (void)plain.fit(two_moons(100), {.epochs = 2});
  EXPECT_TRUE(identical(watched.state().parameters, plain.state().parameters));
}

TEST(GradientFlow, VanishesInADeepSigmoidNetwork) {
  const History history =
      trained({.hidden = deep, .activation = "sigmoid", .initializer = init::naive_uniform()}, 0.01);
  const auto flow = gradient_flow(history);
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->flow, Flow::vanishing);
  EXPECT_LT(flow->value, 1e-12);
  const Verdict verdict = judge(history);
  EXPECT_EQ(verdict.kind, VerdictKind::crawling);
  EXPECT_NE(verdict.advice.find("he_normal"), std::string::npos);
  EXPECT_NE(heat_html(history, "deep").find(">output<"), std::string::npos);
}

TEST(GradientFlow, IsHealthyWithHeNormalisationAndResidualConnections) {
  for (const nn::MlpOptions& model : {nn::MlpOptions{.hidden = deep},
                                      {.hidden = deep, .norm = "batch"},
                                      {.hidden = deep, .norm = "layer"},
                                      {.hidden = deep, .norm = "batch", .residual = true}}) {
    const auto flow = gradient_flow(trained(model, 0.01));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flow, Flow::healthy) << model.norm << " " << flow->sentence;
    EXPECT_GT(flow->value, 1e-3) << model.norm;
  }
}

TEST(GradientFlow, ExplodesIfAStepIsAThousandTimesTheFirst) {
  History history;
  history.layers = {"a", "b"};
  for (int i = 1; i <= 20; ++i) {
    history.steps.push_back({.step = i, .loss = 1, .gradient_norm = i == 17 ? 2001.0 : 2.0, .layer_norms = {1, 1}});
  }
  EXPECT_EQ(gradient_flow(history)->flow, Flow::exploding);
  EXPECT_NE(gradient_flow(history)->sentence.find("step 17"), std::string::npos);
  history.steps[16].gradient_norm = 1999;
  EXPECT_EQ(gradient_flow(history)->flow, Flow::healthy);
  history.steps[16].gradient_norm = std::nan("");
  EXPECT_EQ(gradient_flow(history)->flow, Flow::exploding);
}

/// Two layers of one objective, and one of another that takes its turn in every `every`-th step.
History with_turns(int steps, int every) {
  History history;
  history.layers = {"d/first", "d/last", "g/first"};
  for (int i = 1; i <= steps; ++i)
    history.steps.push_back(
        {.step = i, .loss = 1, .gradient_norm = 1, .layer_norms = {0.5, 1, i % every == 0 ? 2 : std::nan("")}});
  return history;
}

TEST(GradientFlow, StepsWithoutATurnAreGreyAndLeftOutOfMeans) {
  EXPECT_NE(heat_html(with_turns(10, 5), "layers").find(">no turn<"), std::string::npos);
  EXPECT_EQ(heat_html(with_turns(10, 1), "layers").find(">no turn<"), std::string::npos);
  // each of the 160 columns is the mean of five steps, of which one has a turn
  EXPECT_EQ(heat_html(with_turns(800, 5), "layers"), heat_html(with_turns(800, 1), "layers"));
}

TEST(GradientFlow, StepsWithoutATurnAreNotCompared) {
  History history = with_turns(9, 3);
  EXPECT_EQ(gradient_flow(history)->value, 0.25);
  for (StepReport& step : history.steps) std::ranges::reverse(step.layer_norms);
  EXPECT_EQ(gradient_flow(history)->value, 4);
}

class GradientLog : public testing::TemporaryFolderTest {};

TEST_F(GradientLog, KeepsTheNormsOfTheLayers) {
  const History history = trained({.hidden = {8}}, 0.1);
  MetricsLog log(path("metrics.jsonl"));
  for (const StepReport& step : history.steps) log.add(step, history.layers);
  const History read = log.history();
  EXPECT_EQ(read.layers, history.layers);
  ASSERT_EQ(read.steps.size(), history.steps.size());
  EXPECT_EQ(read.steps.back().layer_norms, history.steps.back().layer_norms);
}

TEST_F(GradientLog, DistinguishesInfiniteNormsFromStepsWithoutATurn) {
  MetricsLog log(path("metrics.jsonl"));
  log.add({.step = 1, .layer_norms = {1, std::nan(""), INFINITY}}, {"a", "b", "c"});
  const std::vector<double> norms = log.history().steps.at(0).layer_norms;
  ASSERT_EQ(norms.size(), 3U);
  EXPECT_EQ(norms[0], 1);
  EXPECT_TRUE(std::isnan(norms[1]));
  EXPECT_EQ(norms[2], INFINITY);
}

}  // namespace
}  // namespace thalweg
