// Training on the far CPU (far_cpu.hpp), which stands for a device with its own memory: every kind of model, every
// optimizer, statistics, averages, streams and checkpoints. The final state must have the bits of a training on the
// host.

#include "far_cpu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/block.hpp"
#include "insight/run_watch.hpp"
#include "moons.hpp"
#include "optim/asks.hpp"
#include "small_gan.hpp"
#include "temporary_folder.hpp"
#include "thalweg/thalweg.hpp"
#include "train/row_losses.hpp"

namespace thalweg {
namespace {

using testing::FarCpu;

class FarTraining : public ::testing::Test {
 protected:
  /// Runs a training on the host and on the device. Expects the same state, and that kernels ran on the device.
  template <class F>
  void compare(const F& trained, bool runs_there = true) {
    const State here = trained();
    const std::size_t before = far_.kernels();
    const ChosenDevice chosen(far_);
    const State there = trained();
    expect_same(there, here);
    EXPECT_EQ(far_.kernels() > before, runs_there);
  }

  FarCpu far_;
};

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

Dataset rows_of(const Shape& row, std::int64_t rows, std::int64_t classes) {
  Shape shape{rows};
  for (const std::int64_t size : row) shape.push_back(size);
  Dataset data;
  const Tensor input = random_normal(shape, 3);
  data.set("input", input);
  data.set("target", classes == 0 ? input : random_uniform({rows}, 0, static_cast<double>(classes), 4, f64).to(i32));
  return data;
}

Dataset text(std::int64_t rows) {
  Dataset data;
  data.set("input", random_uniform({rows, 12}, 0, 9, 3, f64).to(i32));
  data.set("target", random_uniform({rows, 12}, 0, 9, 4, f64).to(i32));
  return data;
}

struct Kind {
  std::string name;
  ModelFunction model;
  Dataset data;
};

std::vector<Kind> kinds() {
  const Dataset table = rows_of({6}, 23, 3), images = rows_of({9, 7, 1}, 11, 3), pictures = rows_of({9, 7, 1}, 11, 0);
  const nn::LayersOptions layers{.layers = {{{"kind", {"conv2d"}}, {"filters", {std::int64_t{5}}}},
                                            {{"kind", {"batch_norm"}}},
                                            {{"kind", {"activation"}}},
                                            {{"kind", {"avg_pool2d"}}},
                                            {{"kind", {"dropout"}}, {"rate", {0.2}}}}};
  return {
      {"linear", nn::linear(3), table},
      {"mlp", nn::mlp(3, {.hidden = {16, 8}, .norm = "batch"}), table},
      {"layer_norm", nn::mlp(3, {.hidden = {16}, .activation = "gelu", .norm = "layer"}), table},
      {"tabular", nn::tabular(3, {.hidden = {8}, .frequencies = 4, .members = 3}), table},
      {"convnet", nn::convnet(3, {.filters = {4, 6}, .hidden = {10}, .dropout = 0.3}), images},
      {"resnet", nn::resnet(3, {.blocks = {1, 1}, .width = 6}), images},
      {"layers", nn::layers(3, layers), images},
      {"unet", nn::unet(9 * 7, {.levels = 2, .width = 4}), pictures},
      {"gpt", nn::gpt(9, {.layers = 2, .width = 16, .heads = 2, .context = 12, .dropout = 0.1}), text(9)},
      {"rotary", nn::gpt(9, {.layers = 1, .width = 16, .heads = 2, .feed_forward = "swiglu", .positions = "rotary"}),
       text(9)},
      {"lstm", nn::lstm_model(9, {.layers = 1, .width = 8}), text(9)}};
}

TEST_F(FarTraining, OfEveryModelKindGivesTheSameState) {
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const bool images = kind.data["target"].dtype() == f32;
    compare([&] {
      Trainer trainer(kind.model, images ? LossFunction(loss::mse) : LossFunction(loss::cross_entropy),
                      optim::adamw({.lr = 1e-2, .clip_norm = 0.5}), 2);
      (void)trainer.fit(kind.data, {.epochs = 3, .batch_size = 8, .shard_size = 3});
      return trainer.state();
    });
  }
}

TEST_F(FarTraining, InBf16GivesTheSameState) {
  const auto trained = [](Precision precision) {
    Trainer trainer(nn::gpt(9, {.layers = 2, .width = 16, .heads = 2, .context = 12}), loss::cross_entropy,
                    optim::adamw({.lr = 1e-2}), 1);
    (void)trainer.fit(text(9), {.epochs = 2, .batch_size = 8, .shard_size = 3, .precision = precision});
    return trainer.state();
  };
  compare([&] { return trained(Precision::bf16); });
  const ChosenDevice chosen(far_);
  EXPECT_FALSE(identical(trained(Precision::bf16).parameters, trained(Precision::single).parameters));
}

Optimizer made(const OptimizerRow& row) {
  const bool has_rate = std::ranges::any_of(row.options, [](const OptionDoc& o) { return o.name == "lr"; });
  return row.make(has_rate ? OptionMap{{"lr", {0.01}}} : OptionMap{});
}

TEST_F(FarTraining, ByEveryOptimizerGivesTheSameState) {
  const Dataset data = two_moons(40);
  for (const OptimizerRow& row : optimizers()) {
    SCOPED_TRACE(std::string(row.name));
    const Optimizer optimizer = made(row);
    compare([&] {
      Trainer trainer(nn::mlp(2, {.hidden = {16}, .activation = "tanh"}), loss::cross_entropy, optimizer, 1);
      (void)trainer.fit(data, {.epochs = 3, .batch_size = row.owns_steps ? 40 : 10});
      return trainer.state();
    });
  }
}

TEST_F(FarTraining, OfSeveralObjectivesWithAveragesGivesTheSameState) {
  const Dataset data = real_points();
  for (const bool simultaneous : {false, true}) {
    compare([&] {
      Trainer gan(gan_rows(), {.threads = 1, .simultaneous = simultaneous});
      (void)gan.fit(data, {.epochs = 2, .batch_size = 8, .shard_size = 3});
      return gan.state();
    });
  }
}

/// In f64, and every batch is the whole data set.
TEST_F(FarTraining, ByAUsersLoopGivesTheSameState) {
  const Dataset data = two_moons(32);
  compare([&] {
    auto step = train_step(objective_of(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy), optim::adam(), 1);
    State state = step.init(data, 1, f64);
    for (int i = 0; i < 5; ++i) (void)step(state, data);
    return state;
  });
}

Trainer moons_trainer() {
  return Trainer(nn::mlp(2, {.hidden = {32, 32}, .norm = "batch"}), loss::cross_entropy,
                 optim::adamw({.lr = 1e-2, .clip_norm = 1, .schedule = schedule::one_cycle()}), 1);
}

TEST_F(FarTraining, ReportsMetricsAndPredictionsAreTheSame) {
  const Dataset data = two_moons(200);
  const FitOptions options = {.epochs = 3, .batch_size = 32, .layer_norms = true, .validation = 0.2};
  Trainer here = moons_trainer();
  const History wanted = here.fit(data, options);
  const ChosenDevice chosen(far_);
  Trainer there = moons_trainer();
  const History got = there.fit(data, options);
  ASSERT_EQ(got.steps.size(), wanted.steps.size());
  for (std::size_t i = 0; i < wanted.steps.size(); ++i) {
    EXPECT_EQ(got.steps[i].loss, wanted.steps[i].loss);
    EXPECT_EQ(got.steps[i].gradient_norm, wanted.steps[i].gradient_norm);
    EXPECT_EQ(got.steps[i].layer_norms, wanted.steps[i].layer_norms);
  }
  for (std::size_t i = 0; i < wanted.epochs.size(); ++i) EXPECT_EQ(got.epochs[i].metrics, wanted.epochs[i].metrics);
  EXPECT_EQ(there.evaluate(data).metrics, here.evaluate(data).metrics);
  EXPECT_TRUE(identical(there.predict(data), here.predict(data)));
}

TEST_F(FarTraining, StoppedRunsResumeOnEitherDevice) {
  const Dataset data = two_moons(200);
  FitOptions options = {.epochs = 4, .batch_size = 32, .validation = 0.2};
  Trainer whole = moons_trainer();
  (void)whole.fit(data, options);
  for (const bool begins_there : {true, false}) {
    const testing::TemporaryFolder folder;
    options.checkpoints = folder / "checkpoints";
    options.checkpoint_every = "3 steps";
    const auto fit = [&](bool there, std::int64_t stop, bool resume) {
      std::optional<ChosenDevice> chosen;
      if (there) chosen.emplace(far_);
      FitOptions part = options;
      part.stop_after = stop;
      part.resume = resume;
      Trainer trainer = moons_trainer();
      (void)trainer.fit(resume ? streamed(data) : data, part);
      return trainer.state();
    };
    (void)fit(begins_there, 7, false);
    (void)fit(true, 11, true);
    expect_same(fit(!begins_there, 0, true), whole.state());
  }
}

/// What these methods keep between steps (an anchor, a table of rows, factors, the point in f64) is part of the state.
TEST_F(FarTraining, MethodsThatAskForMoreResumeOnEitherDevice) {
  const Dataset data = two_moons(40);
  for (const OptimizerRow& row : optimizers()) {
    SCOPED_TRACE(std::string(row.name));
    if (!row.owns_steps && !asks_of(made(row)).any()) continue;
    const auto trainer = [&] {
      return Trainer(nn::mlp(2, {.hidden = {8}, .activation = "tanh"}), loss::cross_entropy, made(row), 1);
    };
    FitOptions options = {.epochs = 5, .batch_size = row.owns_steps ? 40 : 20};
    Trainer whole = trainer();
    (void)whole.fit(data, options);
    const testing::TemporaryFolder folder;
    options.checkpoints = folder / "checkpoints";
    options.checkpoint_every = "1 steps";
    const auto fit = [&](bool there, std::int64_t stop) {
      std::optional<ChosenDevice> chosen;
      if (there) chosen.emplace(far_);
      options.stop_after = stop;
      Trainer part = trainer();
      (void)part.fit(data, options);
      options.resume = true;
      return part.state();
    };
    (void)fit(true, 2);
    (void)fit(true, 3);
    expect_same(fit(false, 0), whole.state());
  }
}

/// The table has slopes by the output, or gradients if the output is not affine in the parameters.
TEST_F(FarTraining, TablesOfRowsGiveTheSameState) {
  const Dataset data = two_moons(24);
  for (const ModelFunction& model : {nn::linear(2), nn::mlp(2, {.hidden = {4}, .activation = "tanh"})}) {
    compare([&] {
      Trainer trainer(model, loss::cross_entropy, optim::saga({.lr = 0.05}), 1);
      (void)trainer.fit(data, {.epochs = 3, .batch_size = 10, .shard_size = 4});
      return trainer.state();
    });
  }
}

/// SAM's steps, which climb first (also scaled by |x|), with batch statistics, dropout and a frozen layer.
TEST_F(FarTraining, ClimbsGiveTheSameState) {
  const Dataset data = two_moons(40);
  for (const bool adaptive : {false, true}) {
    compare([&] {
      Optimizer optimizer = optim::sam(optim::sgd({.lr = 0.1, .momentum = 0.9}), 0.1, adaptive);
      optimizer.groups.push_back({.pattern = "layer1/weight", .frozen = true});
      const ModelFunction model = [](Scope s, Var x) {
        return nn::dropout(s, nn::mlp(2, {.hidden = {8}, .norm = "batch"})(s, x), 0.2);
      };
      Trainer trainer(model, loss::cross_entropy, optimizer, 1);
      (void)trainer.fit(data, {.epochs = 3, .batch_size = 16, .shard_size = 5});
      return trainer.state();
    });
  }
}

/// A product with the Hessian needs more kernels than a gradient.
TEST_F(FarTraining, ProductsOfAStepAreComputedOnTheDevice) {
  const ChosenDevice chosen(far_);
  const auto kernels = [&](const Optimizer& optimizer) {
    const std::size_t before = far_.kernels();
    Trainer trainer(nn::mlp(2, {.hidden = {8, 8}, .activation = "tanh"}), loss::cross_entropy, optimizer, 1);
    (void)trainer.fit(two_moons(40), {.epochs = 3, .batch_size = 10});
    return far_.kernels() - before;
  };
  EXPECT_GT(kernels(optim::adahessian()), 2 * kernels(optim::adam()));
}

TEST_F(FarTraining, LooksAreComputedOnTheDevice) {
  const Dataset data = two_moons(64);
  const auto looks = [&](bool wanted = true) {
    Trainer trainer(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy, optim::sam(optim::sgd({.lr = 0.1})), 1);
    std::vector<Look> found;
    FitOptions options = {.epochs = 2, .batch_size = 16};
    RunWatch watch(evaluation_of(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy), data, options,
                   {.every = "3 steps", .largest = true, .budget = 1e9}, 1);
    options.on_step = [&](const StepReport& step) {
      if (!wanted) return;
      if (auto look = watch.after(step, trainer.state())) found.push_back(std::move(*look));
    };
    (void)trainer.fit(data, options);
    return found;
  };
  const std::vector<Look> here = looks();
  const ChosenDevice chosen(far_);
  const std::size_t before = far_.kernels();
  (void)looks(false);
  const std::size_t trained = far_.kernels();
  const std::vector<Look> there = looks();
  EXPECT_GT(far_.kernels() - trained, trained - before);
  ASSERT_EQ(here.size(), 2U);
  ASSERT_EQ(there.size(), here.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    EXPECT_EQ(std::tuple(there[i].signal, there[i].noise), std::tuple(here[i].signal, here[i].noise));
    EXPECT_EQ(there[i].largest->value, here[i].largest->value);
    EXPECT_EQ(there[i].layers.front().update, here[i].layers.front().update);
  }
}

TEST_F(FarTraining, APartOfATrainedModelIsAppliedOnTheDevice) {
  Trainer trainer = moons_trainer();
  const Dataset data = two_moons(64);
  (void)trainer.fit(data, {.epochs = 1});
  const auto model = nn::mlp(2, {.hidden = {32, 32}, .norm = "batch"});
  const auto apply = [&] {
    return Apply([&](Scope s, const Batch& b) { return model(s, b["input"]); }, 1)(trainer.state(),
                                                                                   {{"input", data["input"]}});
  };
  const Tensor here = apply();
  const ChosenDevice chosen(far_);
  EXPECT_TRUE(identical(apply(), here));
}

TEST_F(FarTraining, ErrorsAreTheSameAsOnTheHost) {
  Dataset beyond = two_moons(64), undefined = two_moons(64);
  Tensor labels = beyond["target"], input = undefined["input"];
  labels.set(37, 2);
  input.set(20, std::nan(""));
  beyond.set("target", labels);
  undefined.set("input", input);
  const ModelFunction log_of = [](Scope s, const Arg& x) { return nn::dense(s / "out", log(x), 2); };
  const auto train = [](const ModelFunction& model, const Dataset& data) {
    Trainer trainer(model, loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
    (void)trainer.fit(data, {.epochs = 1, .batch_size = 16, .shard_size = 4});
  };
  for (const auto& f :
       std::vector<std::function<void()>>{[&] { train(nn::mlp(2), beyond); }, [&] { train(nn::mlp(2), undefined); },
                                          [&] { train(log_of, two_moons(64)); }}) {
    const std::string wanted = message(f);
    const ChosenDevice chosen(far_);
    EXPECT_EQ(message(f), wanted);
    EXPECT_NE(wanted, "nothing was thrown");
  }
}

/// The device evaluates several shards at a time, and its error does not tell in which one it was.
TEST_F(FarTraining, AnEvaluatedRowIsNamedAsOnTheHost) {
  Dataset data = two_moons(6000);
  Trainer here = moons_trainer();
  here.init(data, 1);
  Tensor labels = data["target"];
  labels.set(5123, 2);
  data.set("target", labels);
  const std::string wanted = message([&] { (void)here.evaluate(data); });
  EXPECT_NE(wanted.find("row 5123 of the evaluated rows"), std::string::npos) << wanted;
  const ChosenDevice chosen(far_);
  Trainer there = moons_trainer();
  there.set_state(here.state());
  EXPECT_EQ(message([&] { (void)there.evaluate(data); }), wanted);
  EXPECT_EQ(message([&] { (void)there.evaluate(streamed(data)); }), wanted);
  EXPECT_NO_THROW((void)there.evaluate(data.slice(0, 5000)));  // the device works again
}

TEST_F(FarTraining, LossesOfRowsAreComputedOnTheDevice) {
  const Dataset data = two_moons(700);
  Trainer trainer = moons_trainer();
  trainer.init(data, 1);
  const auto losses = [&] {
    return row_losses(nn::mlp(2, {.hidden = {32, 32}, .norm = "batch"}), loss::cross_entropy, trainer.state(), data, 1);
  };
  const Tensor here = losses();
  const std::size_t before = far_.kernels();
  const ChosenDevice chosen(far_);
  EXPECT_TRUE(identical(losses(), here));
  EXPECT_GT(far_.kernels(), before);
}

TEST_F(FarTraining, TrainerAndStateReleaseAllMemory) {
  for (const bool throws : {false, true}) {
    const ChosenDevice chosen(far_);
    Dataset data = two_moons(64);
    Tensor labels = data["target"];
    if (throws) labels.set(37, 2);
    data.set("target", labels);
    Trainer trainer = moons_trainer();
    const auto fit = [&] { (void)trainer.fit(data, {.epochs = 2, .batch_size = 16, .shard_size = 4}); };
    if (throws) {
      EXPECT_THROW(fit(), UsageError);
    } else {
      fit();
    }
    EXPECT_GT(far_.given_out(), data["input"].bytes());
  }
  std::byte byte{};
  const Block last(1, &far_);
  far_.fetch(&byte, last.data(), 1);
  EXPECT_EQ(far_.given_out(), 512U);  // only the last block is left
}

/// With late reports, a step waits only for the results of three steps before. Otherwise it waits for its own.
TEST_F(FarTraining, AStepDoesNotWaitForItsResults) {
  const ChosenDevice chosen(far_);
  const Dataset data = two_moons(320);
  const auto waits = [&](FitOptions options, std::vector<std::int64_t>& told) {
    options.epochs = 2;
    options.batch_size = 16;
    options.on_step = [&](const StepReport& report) { told.push_back(report.step); };
    Trainer trainer = moons_trainer();
    const std::size_t before = far_.waits();
    (void)trainer.fit(data, options);
    return far_.waits() - before;
  };
  std::vector<std::int64_t> watched, late;
  EXPECT_GE(waits({}, watched), 80U);
  EXPECT_LT(waits({.late_reports = true}, late), 60U);
  EXPECT_EQ(late, watched);
}

/// Rows with weights of their own, one batch of which counts nothing, and weights that only the step finds out.
TEST_F(FarTraining, AWeightedStepDoesNotWaitForItsNumbers) {
  Dataset weighted = rows_of({3}, 60, 0);
  weighted.set("target", random_normal({60, 1}, 8));
  Dataset plain = weighted;
  Tensor weights = random_uniform({60}, 0, 3, 9);
  for (std::int64_t i = 20; i < 25; ++i) weights.set(i, 0);
  weighted.set("weight", weights);
  const Objective by_parameters = [](Scope s, const Batch& b) {
    const Var trust = exp(sum(b["input"] * s.parameter("trust", {3}, {.initializer = init::normal(0.5)}), -1));
    const Var error = mean(square(nn::dense(s / "out", b["input"], 1) - b["target"]), -1);
    return Loss(sum(trust * error), sum(trust));
  };
  const Optimizer optimizer = optim::adamw({.lr = 1e-2, .clip_norm = 0.5});
  const auto fit = [&](bool is_by_row, History& history) {
    Trainer trainer =
        is_by_row ? Trainer(nn::linear(1), loss::mse, optimizer, 1) : Trainer(by_parameters, optimizer, 1);
    history =
        trainer.fit(is_by_row ? weighted : plain, {.epochs = 4, .batch_size = 5, .shard_size = 2, .shuffle = false});
    return trainer.state();
  };
  for (const bool is_by_row : {true, false}) {
    History here, there;
    const State wanted = fit(is_by_row, here);
    const ChosenDevice chosen(far_);
    const std::size_t before = far_.waits();
    const State state = fit(is_by_row, there);
    EXPECT_LT(far_.waits() - before, 85U);  // of 48 steps, which would wait twice each
    expect_same(state, wanted);
    ASSERT_EQ(there.steps.size(), here.steps.size());
    for (std::size_t i = 0; i < here.steps.size(); ++i) {
      const StepReport &a = there.steps[i], &b = here.steps[i];
      EXPECT_EQ(std::tuple(a.step, a.loss, a.weight, a.gradient_norm),
                std::tuple(b.step, b.loss, b.weight, b.gradient_norm));
    }
  }
}

/// Shards of a set follow one another on the device: the host waits for several of them at once.
TEST_F(FarTraining, AnEvaluationDoesNotWaitForEachShard) {
  const Dataset data = two_moons(30000);
  Trainer here = moons_trainer();
  (void)here.fit(data.slice(0, 64), {.steps = 3, .batch_size = 32});
  const Evaluation wanted = here.evaluate(data);
  const ChosenDevice chosen(far_);
  Trainer there = moons_trainer();
  (void)there.fit(data.slice(0, 64), {.steps = 3, .batch_size = 32});
  const std::size_t waits = far_.waits(), kernels = far_.kernels();
  EXPECT_EQ(there.evaluate(data).metrics, wanted.metrics);
  EXPECT_GT(far_.kernels() - kernels, 100U);
  EXPECT_LT(far_.waits() - waits, 20U);
}

/// on_step is called for every step before a failure, also for those whose late reports had not arrived.
TEST_F(FarTraining, StepsBeforeAFailureAreReported) {
  Dataset data = two_moons(320);
  Tensor target = random_normal({320, 1}, 3);
  target.set(150, 1e30);  // in the tenth batch; its square is infinite
  data.set("target", target);
  const auto told = [&] {
    std::vector<std::int64_t> steps;
    FitOptions options{.batch_size = 16, .shuffle = false};
    options.late_reports = true;
    options.on_step = [&](const StepReport& report) { steps.push_back(report.step); };
    options.on_failure = [&](const State&, const NumericError&) { steps.push_back(-1); };
    const auto net = [](Scope s, Var x) { return nn::dense(s, x, 1); };
    Trainer trainer(net, loss::mse, optim::sgd({.lr = 1e-3}), 1);
    EXPECT_THROW((void)trainer.fit(data, options), NumericError);
    return steps;
  };
  const std::vector<std::int64_t> here = told();
  EXPECT_EQ(here, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, -1}));
  const ChosenDevice chosen(far_);
  EXPECT_EQ(told(), here);
}

TEST_F(FarTraining, LateReportsAreTheSameAsOnTheHost) {
  const Dataset data = two_moons(100);
  const auto history = [&](const Optimizer& optimizer) {
    Trainer trainer(nn::mlp(2, {.hidden = {8}, .norm = "batch"}), loss::cross_entropy, optimizer, 1);
    return trainer.fit(data, {.epochs = 3, .batch_size = 16, .shard_size = 5});
  };
  for (const Optimizer& optimizer : {optim::sgd({.lr = 0.1, .momentum = 0.9, .schedule = schedule::one_cycle()}),
                                     optim::adamw({.lr = 1e-2, .clip_norm = 0.1})}) {
    const History here = history(optimizer);
    const ChosenDevice chosen(far_);
    const History there = history(optimizer);
    ASSERT_EQ(there.steps.size(), here.steps.size());
    for (std::size_t i = 0; i < here.steps.size(); ++i) {
      const StepReport &a = there.steps[i], &b = here.steps[i];
      EXPECT_EQ(std::tuple(a.step, a.total_steps, a.epoch, a.samples, a.weight),
                std::tuple(b.step, b.total_steps, b.epoch, b.samples, b.weight));
      EXPECT_EQ(std::tuple(a.loss, a.gradient_norm, a.lr), std::tuple(b.loss, b.gradient_norm, b.lr));
    }
    EXPECT_EQ(there.epochs.back().metrics, here.epochs.back().metrics);
  }
}

/// Norms whose squares overflow f32 are computed on the host, so such steps are not overlapped.
TEST_F(FarTraining, StepsOfAnySizeGiveTheSameState) {
  const ModelFunction line = [](Scope s, const Arg& x) { return nn::dense(s / "out", x, 1); };
  Dataset data = rows_of({3}, 40, 0);
  data.set("target", random_normal({40, 1}, 8));
  for (const double scale : {1e-21, 1e20}) {
    const LossFunction scaled("scaled", {}, Task::regression,
                              [scale](Var y, Var t) -> SampleLosses { return scale * mean(square(y - t), -1); });
    compare([&] {
      Trainer trainer(line, scaled, optim::sgd({.lr = 1e-3 / scale}), 1);
      (void)trainer.fit(data, {.epochs = 2, .batch_size = 8});
      return trainer.state();
    });
  }
}

TEST_F(FarTraining, ARunThatDivergesStopsAtTheSameState) {
  const Dataset data = two_moons(200);
  std::string wanted;
  compare([&] {
    Trainer trainer(nn::mlp(2, {.hidden = {8}}), loss::mse, optim::sgd({.lr = 1e3}), 1);
    Dataset numbers = data;
    numbers.set("target", random_normal({200, 2}, 5));
    const std::string said = message([&] { (void)trainer.fit(numbers, {.epochs = 20, .batch_size = 16}); });
    EXPECT_NE(said.find("[train] step"), std::string::npos) << said;
    if (wanted.empty()) wanted = said;
    EXPECT_EQ(said, wanted);
    return trainer.state();
  });
}

/// The shards of a step, their sum and the update are recorded, and recorded only once.
TEST_F(FarTraining, TheShardsOfAStepAreRecorded) {
  const auto recorded = [&](std::int64_t shard_size) {
    const ChosenDevice chosen(far_);
    const std::size_t before = far_.recorded();
    Trainer trainer(nn::mlp(2, {.hidden = {16}}), loss::cross_entropy, optim::adam(), 1);
    (void)trainer.fit(two_moons(40), {.steps = 8, .batch_size = 40, .shard_size = shard_size});
    return far_.recorded() - before;
  };
  const std::size_t whole = recorded(40);
  EXPECT_EQ(recorded(10), whole + 3);
  EXPECT_EQ(recorded(16), whole + 2);  // the last shard is smaller
}

TEST_F(FarTraining, BatchesOfTwoSizesAreRecordedOnceEach) {
  const auto recorded = [&](std::int64_t epochs, std::int64_t batch) {
    const ChosenDevice chosen(far_);
    const std::size_t before = far_.recorded();
    Trainer trainer(nn::mlp(2, {.hidden = {16}, .norm = "batch"}), loss::cross_entropy, optim::adam(), 1);
    (void)trainer.fit(two_moons(40), {.epochs = epochs, .batch_size = batch, .shard_size = batch});
    return far_.recorded() - before;
  };
  EXPECT_EQ(recorded(12, 16), recorded(3, 16));
  EXPECT_EQ(recorded(12, 20), 5U);  // shard, norm, check for finite numbers, update, statistics
}

TEST_F(FarTraining, AStepSendsLittle) {
  const ChosenDevice chosen(far_);
  Dataset data = rows_of({1000}, 64, 3);
  Trainer trainer(nn::mlp(3, {.hidden = {50}}), loss::cross_entropy, optim::adam(), 1);
  (void)trainer.fit(data, {.epochs = 1, .batch_size = 16});
  const std::size_t after_one = far_.written();
  (void)trainer.fit(data, {.epochs = 1, .batch_size = 16});
  const std::size_t second = far_.written() - after_one;
  EXPECT_GT(after_one, data["input"].bytes());
  EXPECT_LT(second, trainer.state().parameters.bytes() / 10);
}

}  // namespace
}  // namespace thalweg
