// Several objectives that share a State: turns, the parameters that each trains, slots by name, averages, and resuming.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "small_gan.hpp"
#include "temporary_folder.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

const Tensor& slot(const State& state, const std::string& name) {
  const auto found = std::ranges::find(state.slots, name, &std::pair<std::string, Tensor>::first);
  EXPECT_NE(found, state.slots.end()) << name;
  return found->second;
}

bool has_metric(const Metrics& metrics, const std::string& name) {
  return std::ranges::count(metrics, name, &Metrics::value_type::first) == 1;
}

class Both : public ::testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] static State trained(FitOptions options, int threads = 1) {
    options.epochs = 2;
    options.batch_size = 8;
    options.shard_size = 3;
    Trainer gan(gan_rows(), {.threads = threads, .simultaneous = GetParam()});
    (void)gan.fit(real_points(), options);
    return gan.state();
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, Both, ::testing::Bool());

TEST_P(Both, GiveTheSameBitsForAnyNumberOfThreads) {
  const State one = trained({});
  for (const int threads : {2, 3}) expect_same(trained({}, threads), one);
}

TEST_P(Both, ResumeInTheMiddleOfAnEpochWithTheSameBits) {
  const testing::TemporaryFolder folder;
  const State whole = trained({});
  (void)trained({.stop_after = 4, .checkpoints = folder / "checkpoints"});  // an epoch has 3 steps
  expect_same(trained({.checkpoints = folder / "checkpoints", .resume = true}), whole);
}

TEST_P(Both, MeasureEachLossAndReportedValue) {
  Trainer gan(gan_rows(), {.threads = 1, .simultaneous = GetParam()});
  const History history = gan.fit(real_points(), {.epochs = 1, .validation_data = real_points()});
  for (const char* name : {"loss", "d.loss", "g.loss", "real", "fooled", "validation.g.loss", "validation.real"})
    EXPECT_TRUE(has_metric(history.epochs[0].metrics, name)) << name;
  EXPECT_EQ(history.steps[0].metrics.size(), 4U);
  EXPECT_EQ(history.steps[0].metrics[0].second, history.steps[0].loss);
  EXPECT_EQ(gan.evaluate(real_points())["d.loss"], gan.evaluate(real_points())["loss"]);
}

/// Objectives of two parameters: a minimises (a - 1)^2, b minimises (b - a)^2.
std::vector<ObjectiveRow> chase(std::int64_t every = 1) {
  const auto of = [](Scope s, const char* name) { return (s / name).parameter("x", {1}); };
  const auto a = [=](Scope s, const Batch& b) { return Loss::of_samples(square(of(s, "a") - 1) + 0 * b["input"]); };
  const auto b = [=](Scope s, const Batch& batch) {
    const Var first = of(s, "b"), second = of(s, "a");
    return Loss::of_samples(square(first - second) + 0 * batch["input"]);
  };
  return {{"a", a, optim::sgd({.lr = 0.25})}, {"b", b, optim::sgd({.lr = 0.25}), {.trains = "b/*", .every = every}}};
}

Dataset one_row() {
  Dataset data;
  data.set("input", zeros({1, 1}));
  return data;
}

double value(const Trainer& trainer, const char* name) { return trainer.state().parameter(name).at(0); }

TEST(Objectives, InTurnTheSecondSeesTheStepOfTheFirst) {
  Trainer turns(chase(), {.threads = 1});
  (void)turns.fit(one_row(), {.epochs = 1});
  EXPECT_EQ(value(turns, "a/x"), 0.5);
  EXPECT_EQ(value(turns, "b/x"), 0.25);
  Trainer at_once(chase(), {.threads = 1, .simultaneous = true});
  (void)at_once.fit(one_row(), {.epochs = 1});
  EXPECT_EQ(value(at_once, "a/x"), 0.5);
  EXPECT_EQ(value(at_once, "b/x"), 0);
  (void)at_once.fit(one_row(), {.epochs = 1});
  EXPECT_EQ(value(at_once, "b/x"), 0.25);
}

TEST(Objectives, SimultaneousOnesComputeCommonValuesOnce) {
  const auto draws = [](bool simultaneous) {  // each normal "z" needs two uniform draws, a radius and an angle
    Trainer gan(gan_rows(), {.threads = 1, .simultaneous = simultaneous});
    const std::string plan = gan.explain(real_points());
    int count = 0;
    for (std::size_t at = plan.find("uniform"); at != std::string::npos; at = plan.find("uniform", at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(draws(false), 4);
  EXPECT_EQ(draws(true), 2);
}

TEST(Objectives, MayStepEveryFewBatchesAndCountTheirOwnSteps) {
  Trainer trainer(chase(3), {.threads = 1});
  (void)trainer.fit(one_row(), {.epochs = 7});
  EXPECT_EQ(slot(trainer.state(), "a:steps").at(0), 7);
  EXPECT_EQ(slot(trainer.state(), "b:steps").at(0), 2);
  EXPECT_EQ(trainer.state().step, 7);
}

TEST(Objectives, CanBeSteppedOneByOneInAUsersLoop) {
  Trainer gan(gan_rows(), {.threads = 1});
  gan.init(real_points(), 1);
  const State before = gan.state();
  const StepReport report = gan.step("d", real_points());
  EXPECT_TRUE(std::isfinite(report.loss));
  EXPECT_TRUE(identical(gan.state().parameter("g/out/weight"), before.parameter("g/out/weight")));
  EXPECT_FALSE(identical(gan.state().parameter("d/out/weight"), before.parameter("d/out/weight")));
  EXPECT_EQ(slot(gan.state(), "d:steps").at(0), 1);
  EXPECT_EQ(slot(gan.state(), "g:steps").at(0), 0);
  EXPECT_THROW((void)gan.step("q", real_points()), UsageError);
}

TEST(Objectives, ComputeGradientsOnlyOfWhatTheyTrain) {
  int asked = 0;
  const auto watched = [&](const Var& x) {
    return custom_derivative(
        {x}, [](std::span<const Var> v) { return v[0]; },
        [&](std::span<const Var>, Var, Var g) {
          ++asked;
          return std::vector<Var>{g};
        });
  };
  const auto loss = [&](Scope s, const Batch& b) {
    const Var made = watched(nn::dense(s / "g", b["input"], 2));
    return Loss::of_samples(square(nn::dense(s / "d", made, 1)));
  };
  Trainer d({{"d", loss, optim::adam(), {.trains = "d/*"}}, {"g", loss, optim::adam(), {.trains = "g/*", .every = 2}}},
            {.threads = 1});
  (void)d.fit(real_points(), {.steps = 1});
  EXPECT_EQ(asked, 0);
  (void)d.fit(real_points(), {.steps = 2});
  EXPECT_GT(asked, 0);
  for (const auto& [name, values] : d.state().slots) {
    if (name == "d:adam.m") {
      EXPECT_EQ(values.size(), 3);
    } else if (name == "g:adam.m") {
      EXPECT_EQ(values.size(), 6);
    }
  }
}

TEST(Objectives, AreEquivalentToTwoNamedTrainStepsOnOneState) {
  const auto a = [](Scope s, const Batch& b) { return Loss::of_samples(square(nn::dense(s / "a", b["input"], 1))); };
  const auto b = [](Scope s, const Batch& batch) {
    return Loss::of_samples(square(nn::dense(s / "b", batch["input"], 1) - nn::dense(s / "a", batch["input"], 1)));
  };
  const std::vector<ObjectiveRow> rows = {{"b", b, optim::adam({.lr = 0.1}), {.trains = "b/*"}},
                                          {"a", a, optim::adam({.lr = 0.2})}};
  Trainer trainer(rows, {.threads = 1});
  TrainStep of_b(rows[0], 1), of_a(rows[1], 1);
  State state = of_b.init(real_points(), 1);
  for (int i = 0; i < 3; ++i) {
    (void)of_b(state, real_points());
    (void)of_a(state, real_points());
  }
  trainer.init(real_points(), 1);
  for (int i = 0; i < 3; ++i) {
    (void)trainer.step("b", real_points());
    (void)trainer.step("a", real_points());
  }
  for (const char* name : {"a/weight", "b/weight"})
    EXPECT_TRUE(identical(trainer.state().parameter(name), state.parameter(name))) << name;
  EXPECT_EQ(slot(state, "a:steps").at(0), 3);
}

template <class E>
void expect_error(const std::function<void()>& run, std::string_view part) {
  try {
    run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const E& error) {
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST(Objectives, InvalidOnesAreRefusedByName) {
  const auto refused = [](std::vector<ObjectiveRow> rows, std::string_view part) {
    expect_error<UsageError>(
        [&] {
          Trainer trainer(std::move(rows), {.threads = 1});
          trainer.init(real_points(), 1);
        },
        part);
  };
  const Optimizer adam = optim::adam();
  refused({}, "0 objectives");
  refused({{"d", d_loss, adam, {.trains = "d/*"}}, {"d", g_loss, adam, {.trains = "g/*"}}}, "two objectives");
  refused({{"d", d_loss, adam, {.trains = "d/*"}}, {"g", g_loss, adam, {.trains = "h/*"}}}, "'h/*'");
  refused({{"d", d_loss, adam, {.trains = "d/*"}}, {"g", g_loss, adam, {.trains = "g/out/*"}}}, "'g/hidden/weight'");
  refused({{"d", d_loss, adam, {.trains = "d/*", .every = 2}}, {"g", g_loss, adam, {.trains = "g/*"}}}, "every = 2");
  const auto unused = [](Scope s, const Batch& b) {
    (void)generator(s / "g", s.normal("z", {b.rows(), 3}));
    return Loss::of_samples(discriminator(s / "d", b["input"]));
  };
  refused({{"d", unused, adam, {}}, {"g", g_loss, adam, {.trains = "g/*"}}},
          "of 'd' does not depend on the parameter 'g/");
}

TEST(Objectives, ThatAreNotFiniteAreNamed) {
  std::vector<ObjectiveRow> rows = gan_rows();
  rows[1].loss = [](Scope s, const Batch& b) {
    const Var fake = generator(s.share("g"), s.normal("z", {b.rows(), 3}));
    return Loss::of_samples(log(-1 - square(fake)));
  };
  Trainer gan(rows, {.threads = 1});
  expect_error<NumericError>([&] { (void)gan.fit(real_points(), {.epochs = 1}); }, "objective 'g'");
}

TEST(Fit, ASecondOneContinuesWithItsOwnEpochsAndSchedule) {
  const Objective objective = [](Scope s, const Batch& b) {
    return Loss::of_samples(square(nn::dense(s / "a", b["input"], 1) - s.normal("z", {b.rows(), 1})));
  };
  Trainer trainer(objective, optim::adam({.lr = 0.1, .schedule = schedule::cosine()}), 1);
  const History first = trainer.fit(real_points(), {.epochs = 2, .batch_size = 8});
  const State between = trainer.state();
  const History second = trainer.fit(real_points(), {.epochs = 3, .batch_size = 8});
  EXPECT_EQ(between.step, 6);
  EXPECT_EQ(trainer.state().step, 15);
  EXPECT_EQ(second.epochs.size(), 3U);
  EXPECT_EQ(second.epochs[0].epoch, 1);
  EXPECT_EQ(second.steps.front().step, 7);
  EXPECT_EQ(second.steps.front().total_steps, 15);
  EXPECT_EQ(second.steps.front().lr, 0.1);
  EXPECT_LT(second.steps.back().lr, 0.01);
  EXPECT_FALSE(identical(between.parameters, trainer.state().parameters));
}

TEST(Fit, ASecondOneResumesWithTheSameBits) {
  const testing::TemporaryFolder folder;
  const auto trained = [&](FitOptions second) {
    Trainer gan(gan_rows(2), {.threads = 1});
    (void)gan.fit(real_points(), {.epochs = 2, .batch_size = 8});
    second.epochs = 2;
    second.batch_size = 5;
    (void)gan.fit(real_points(), second);
    return gan.state();
  };
  const State whole = trained({});
  (void)trained({.stop_after = 4, .checkpoints = folder / "second"});
  expect_same(trained({.checkpoints = folder / "second", .resume = true}), whole);
}

TEST(Averages, FollowTheParametersFromTheirValuesAtTheStart) {
  const auto loss = [](Scope s, const Batch& b) {
    return Loss::of_samples(sum((s / "a").parameter("x", {2}, {.initializer = init::constant(3)})) + 0 * b["input"]);
  };
  const auto trained = [&](bool warm_up) {
    Trainer trainer({{"a", loss, optim::sgd({.lr = 1}), {.averages = {{"slow", 0.75, warm_up}}}}}, {.threads = 1});
    (void)trainer.fit(one_row(), {.epochs = 3});
    EXPECT_EQ(trainer.state().layout->parameters(), 2);
    return trainer.state();
  };
  const auto expected = [](bool warm_up) {
    double x = 3, a = 3;
    for (int t = 1; t <= 3; ++t) {
      const double d = warm_up ? std::min(0.75, (1.0 + t) / (10 + t)) : 0.75;
      x -= 1;
      a = d * a + (1 - d) * x;
    }
    return a;
  };
  for (const bool warm_up : {false, true}) {
    const State state = trained(warm_up);
    EXPECT_EQ(state.parameter("a/x").at(0), 0);
    EXPECT_NEAR(state.parameter("slow/a/x").at(1), expected(warm_up), 1e-6);
    EXPECT_NEAR(state.average("slow").parameter("a/x").at(1), expected(warm_up), 1e-6);
    EXPECT_THROW((void)state.average("fast"), UsageError);
  }
}

TEST(Averages, CanBeReadByApplyEvaluationAndObjectives) {
  const auto loss = [](Scope s, const Batch& b) {
    const Var y = nn::dense(s / "net", b["input"], 1), target = nn::dense(s.average("ema") / "net", b["input"], 1);
    s.report("distance", square(y - target));
    return Loss::of_samples(square(y - 1 - target));
  };
  Trainer trainer({{"a", loss, optim::sgd({.lr = 0.1}), {.averages = {{"ema", 0.9}}}}}, {.threads = 1});
  const History history =
      trainer.fit(real_points(), {.epochs = 4, .validation_data = real_points(), .validation_average = "ema"});
  EXPECT_EQ(history.steps[0].metrics[0].second, 0);  // the average starts with the initial values
  EXPECT_GT(history.steps[3].metrics[0].second, 0);
  const Apply net([](Scope s, const Batch& b) { return nn::dense(s / "net", b["x"], 1); }, 1);
  const Apply averaged([](Scope s, const Batch& b) { return nn::dense(s.average("ema") / "net", b["x"], 1); }, 1);
  const Tensor x = real_points()["input"];
  const State& state = trainer.state();
  EXPECT_TRUE(identical(net(state.average("ema"), {{"x", x}}), averaged(state, {{"x", x}})));
  EXPECT_FALSE(identical(net(state, {{"x", x}}), averaged(state, {{"x", x}})));
  EXPECT_EQ(trainer.evaluate(real_points(), "ema")["loss"], 1);  // with the averages, y is the target
  EXPECT_EQ(history.epochs.back().metrics[2].second, 1);
  const auto unknown = [](Scope s, const Batch& b) { return nn::dense(s.average("none") / "net", b["x"], 1); };
  EXPECT_THROW((void)Apply(unknown, 1)(state, {{"x", x}}), Error);
}

class StateFiles : public testing::TemporaryFolderTest {};

Loss autoencoder(Scope s, const Batch& b) {
  const Var code = nn::dense(s / "encoder", b["input"], 3);
  return Loss::of_samples(square(nn::dense(s / "decoder", code, 2) - b["input"]));
}

TEST_F(StateFiles, APartCanBeLoadedIntoAnotherModelAndFrozenByItsScope) {
  Trainer before(autoencoder, optim::adam({.lr = 0.1}), 1);
  (void)before.fit(real_points(), {.epochs = 1});
  before.state().save(path("model.safetensors"), "encoder/*");

  const auto head = [](Scope s, const Batch& b) {
    const Var code = nn::dense((s / "base" / "encoder").frozen(), b["input"], 3);
    return Loss::of_samples(square(nn::dense(s / "head", code, 1) - 1));
  };
  Trainer after(head, optim::adam({.lr = 0.1}), 1);
  after.load(path("model.safetensors"), real_points(), "encoder/*", "base");
  (void)after.fit(real_points(), {.epochs = 2});
  EXPECT_TRUE(identical(after.state().parameter("base/encoder/weight"), before.state().parameter("encoder/weight")));

  State other = before.state();
  EXPECT_THROW(other.load(path("model.safetensors"), "decoder/*"), UsageError);
  EXPECT_THROW(other.load(path("model.safetensors"), {}, "base"), ModelError);
  EXPECT_THROW(other.save(path("none.safetensors"), "q/*"), UsageError);
}

TEST_F(StateFiles, AveragesAreSavedIfAPatternMatchesThem) {
  Trainer gan(gan_rows(), {.threads = 1});
  (void)gan.fit(real_points(), {.epochs = 1});
  gan.state().save(path("all.safetensors"));
  gan.state().save(path("ema.safetensors"), "ema/*");
  State state = gan.state();
  state.load(path("all.safetensors"));
  EXPECT_THROW(state.load(path("all.safetensors"), "ema/*"), UsageError);
  EXPECT_NO_THROW(state.load(path("ema.safetensors"), "ema/*"));
  EXPECT_TRUE(identical(state.parameters, gan.state().parameters));
}

TEST(Frozen, PartsUseRunningStatisticsWithoutUpdatingThem) {
  const auto loss = [](bool frozen) {
    return [=](Scope s, const Batch& b) {
      const Scope part = frozen ? (s / "g").frozen() : s / "g";
      return Loss::of_samples(nn::dense(s / "head", nn::batch_norm(part, b["input"]), 1));
    };
  };
  const auto mean_after = [&](bool frozen) {
    Trainer trainer(loss(frozen), optim::sgd({.lr = 0.1}), 1);
    (void)trainer.fit(real_points(), {.epochs = 1});
    return trainer.state().parameter("g/mean").at(0);
  };
  EXPECT_EQ(mean_after(true), 0);
  EXPECT_NE(mean_after(false), 0);
}

}  // namespace
}  // namespace thalweg
