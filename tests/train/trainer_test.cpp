// The Trainer: fitting, batches and shards, resuming, early stopping, metrics and errors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stop_token>

#include "data/split.hpp"
#include "moons.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

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

TEST(Trainer, ThinsTheReportsOfALongRunAndKeepsTheLast) {
  const auto steps_of = [](std::int64_t steps, std::int64_t reports) {
    std::vector<std::int64_t> seen;
    for (const StepReport& step :
         moons_trainer().fit(two_moons(64), {.steps = steps, .batch_size = 8, .reports = reports}).steps)
      seen.push_back(step.step);
    return seen;
  };
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(steps_of(4, 4), (Steps{1, 2, 3, 4}));
  EXPECT_EQ(steps_of(5, 4), (Steps{1, 2, 3, 4, 5}));
  EXPECT_EQ(steps_of(6, 4), (Steps{1, 3, 5, 6}));
  EXPECT_EQ(steps_of(9, 4), (Steps{1, 3, 5, 7, 9}));
  EXPECT_EQ(steps_of(10, 4), (Steps{1, 5, 9, 10}));
  EXPECT_EQ(steps_of(20, 4), (Steps{1, 9, 17, 20}));
  EXPECT_EQ(steps_of(4, 2), (Steps{1, 3, 4}));
  EXPECT_THROW((void)steps_of(3, 1), UsageError);
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

/// Small steps cache addresses between steps, so they must notice when memory moves or the data changes.
TEST(Trainer, SmallStepsNoticeMovedMemoryAndOtherData) {
  // no smaller last batch, which would run another program and so refresh the caches
  const Dataset data = two_moons(64), other = two_moons(100).slice(36, 100);
  Trainer wanted = moons_trainer(), trainer = moons_trainer();
  FitOptions options = {.epochs = 4, .batch_size = 32};
  (void)wanted.fit(data, options);
  std::vector<State> held;  // copies of the state, which force the next step to write to new memory
  options.on_step = [&](const StepReport& report) {
    if (report.step % 3 == 0) held.push_back(trainer.state());
  };
  (void)trainer.fit(data, options);
  EXPECT_TRUE(identical(trainer.state().parameters, wanted.state().parameters));

  Trainer fresh = moons_trainer();  // has not seen the first data
  fresh.set_state(wanted.state());
  options = {.epochs = 8, .batch_size = 32};
  (void)fresh.fit(other, options);
  (void)trainer.fit(other, options);
  EXPECT_FALSE(identical(trainer.state().parameters, wanted.state().parameters));
  EXPECT_TRUE(identical(trainer.state().parameters, fresh.state().parameters));
}

TEST(TrainStep, BatchesMayBeAnywhereInMemoryAndStatesOfAnyDtype) {
  const Objective loss = [](Scope s, const Batch& b) {
    return mean(cross_entropy_with_labels(nn::mlp(2, {.hidden = {8}})(s, b["input"]), b["target"]));
  };
  const auto run = [&](TrainStep& step, bool anew, DType dtype) {
    const Dataset data = two_moons(32);
    State state = step.init(data, 1, dtype);
    for (int i = 0; i < 5; ++i) {
      Dataset batch = data;
      if (anew) batch.set("input", data["input"].to(f64).to(f32));
      (void)step(state, batch);
    }
    return state.parameters;
  };
  TrainStep one(loss, optim::adam()), two(loss, optim::adam());
  const Tensor wanted = run(one, false, f32);
  EXPECT_TRUE(identical(run(two, true, f32), wanted));
  const Tensor wide = run(two, true, f64);  // the same step on a state of another dtype
  EXPECT_EQ(wide.dtype(), f64);
  EXPECT_TRUE(identical(run(two, false, f32), wanted));
  EXPECT_TRUE(identical(run(one, false, f64), wide));
}

TEST(Trainer, StreamedDataGivesTheSameBits) {
  const Dataset data = two_moons(1403), streams = streamed(data);
  const FitOptions options = {.epochs = 3, .batch_size = 64, .shard_size = 20, .validation = 0.1};
  Trainer kept = moons_trainer();
  const History wanted = kept.fit(data, options);
  for (int threads : {1, 2, 3}) {
    Trainer trainer = moons_trainer(threads);
    const History history = trainer.fit(streams, options);
    EXPECT_TRUE(identical(trainer.state().parameters, kept.state().parameters)) << threads << " threads";
    EXPECT_EQ(history.epochs.back().metrics, wanted.epochs.back().metrics) << threads << " threads";
    EXPECT_EQ(trainer.evaluate(streams).metrics, kept.evaluate(data).metrics) << threads << " threads";
  }
  EXPECT_THROW((void)kept.predict(streams), UsageError);
}

/// A net whose activations are larger than a cache, so that recomputation matters.
Trainer deep_trainer() {
  return Trainer(nn::mlp(2, {.hidden = {32, 32, 32, 32, 32, 32}, .activation = "gelu", .norm = "layer"}),
                 loss::cross_entropy, optim::adam(), 1);
}

TEST(Trainer, SameBitsForAnyRecomputation) {
  const auto trained = [](Memory memory) {
    Trainer trainer = deep_trainer();
    (void)trainer.fit(two_moons(200), {.epochs = 2, .batch_size = 64, .shard_size = 64, .memory = memory});
    return trainer.state().parameters;
  };
  const Tensor wanted = trained(Memory::keep);
  EXPECT_TRUE(identical(trained(Memory::fast), wanted));
  EXPECT_TRUE(identical(trained(Memory::lean), wanted));
}

TEST(Trainer, WhatIsKeptReachesThePlan) {
  Trainer trainer = deep_trainer();
  const Dataset data = two_moons(64);
  const auto arena = [&](Memory memory) {
    return static_cast<double>(trainer.measure(data, {.shard_size = 64, .memory = memory}).arena_bytes);
  };
  EXPECT_LT(arena(Memory::fast), 0.75 * arena(Memory::keep));
  EXPECT_LT(arena(Memory::lean), 0.75 * arena(Memory::fast));
}

TEST(Trainer, SaysWhatAStepCosts) {
  Trainer trainer = moons_trainer();
  const Dataset data = two_moons(64);
  const StepCost cost = trainer.measure(data);
  const std::int64_t products = 64 * (2 * 32 + 32 * 32 + 32 * 2);
  EXPECT_GE(cost.forward.operations, 2 * products);
  EXPECT_LT(cost.forward.operations, 3 * products);
  EXPECT_GT(cost.backward.operations, cost.forward.operations);
  EXPECT_GT(cost.update.operations, trainer.state().parameters.size());
  EXPECT_GT(cost.forward.seconds, 0);
  EXPECT_GT(cost.update.bytes, 3 * 4 * trainer.state().parameters.size());
  EXPECT_LT(cost.arena_bytes, cost.intermediate_bytes);
  EXPECT_GT(cost.peak, 1e9);
  EXPECT_EQ(trainer.state().step, 0);
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
    const History rest = resumed.fit(stop % 2 ? streamed(data) : data, second);
    for (const std::string& warning : rest.warnings) ADD_FAILURE() << warning;
    EXPECT_EQ(rest.steps.front().step, stop + 1);
    EXPECT_TRUE(identical(resumed.state().parameters, whole.state().parameters)) << "stopped after step " << stop;
    EXPECT_EQ(rest.epochs.back().metrics, undisturbed.epochs.back().metrics);
  }
  std::filesystem::remove_all(folder);
}

TEST(Trainer, ALastSmallerBatchCountsEverySampleOnce) {
  // With the whole set as one batch or in uneven shards, the gradient of the first step is the same except for
  // rounding.
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
  EXPECT_EQ(history.best_epoch + 5, static_cast<std::int64_t>(history.epochs.size()));
  const auto measured = [](const EpochReport& epoch) {
    return std::ranges::find(epoch.metrics, "validation.loss", &Metrics::value_type::first)->second;
  };
  const auto best = std::ranges::min_element(history.epochs, {}, measured);
  EXPECT_EQ(best->epoch, history.best_epoch);
  EXPECT_TRUE(best->best);

  // on the same validation split, the restored parameters give the metrics of the best epoch
  const auto split = data::split_fraction(60, 0.3, 1);
  EXPECT_EQ(trainer.evaluate(data.take(split.held_out))["loss"], measured(*best));
  EXPECT_NE(trainer.evaluate(data.take(split.held_out))["loss"], measured(history.epochs.back()));
}

TEST(Trainer, TheBestIsNotRestoredIfThatIsSwitchedOff) {
  const Dataset data = two_moons(60), held_out = data.take(data::split_fraction(60, 0.3, 1).held_out);
  const FitOptions options{
      .epochs = 200, .validation = 0.3, .early_stopping = EarlyStopping{.patience = "5 epochs", .restore_best = false}};
  Trainer trainer = moons_trainer();
  const History history = trainer.fit(data, options);
  ASSERT_EQ(history.reason, StopReason::stopped_early);
  const Metrics& last = history.epochs.back().metrics;
  EXPECT_EQ(trainer.evaluate(held_out)["loss"],
            std::ranges::find(last, "validation.loss", &Metrics::value_type::first)->second);
  EXPECT_GT(history.best_epoch, 0);
  EXPECT_FALSE(history.best_restored);

  // nor by a resumed run, whose checkpoint has the best parameters
  const testing::TemporaryFolder folder;
  FitOptions part = options;
  part.checkpoints = folder / "checkpoints";
  for (const bool resumes : {false, true}) {
    part.resume = resumes;
    part.stop_after = resumes ? 0 : history.steps.back().step - 1;
    Trainer again = moons_trainer();
    EXPECT_FALSE(again.fit(data, part).best_restored);
    EXPECT_EQ(identical(again.state().parameters, trainer.state().parameters), resumes);
  }
}

TEST(Trainer, ARunThatTookAllItsStepsWasNotStoppedEarly) {
  const Dataset data = two_moons(60);
  const EarlyStopping stopping{.patience = "5 epochs"};
  const auto history_of = [&](std::int64_t epochs) {  // with the same rate for any number of epochs
    Trainer trainer(nn::mlp(2, {.hidden = {16}}), loss::cross_entropy, optim::adam({.lr = 0.1}), 1);
    return trainer.fit(data, {.epochs = epochs, .validation = 0.3, .early_stopping = stopping});
  };
  const auto stopped_after = static_cast<std::int64_t>(history_of(200).epochs.size());
  ASSERT_LT(stopped_after, 200);
  for (const std::int64_t more : {0, 1}) {
    const History history = history_of(stopped_after + more);
    EXPECT_EQ(std::ssize(history.epochs), stopped_after);
    EXPECT_EQ(history.reason, more > 0 ? StopReason::stopped_early : StopReason::finished);
    EXPECT_TRUE(history.best_restored);
  }
}

/// Validation rows without weight measure nothing, so they neither stop a run nor reduce its rate.
TEST(Trainer, AValidationSetWithoutWeightDoesNotStopTheRun) {
  Dataset data = two_moons(60), held_out = two_moons(20);
  held_out.set("weight", Tensor({20}, f32));
  FitOptions options{.epochs = 8, .early_stopping = EarlyStopping{.patience = "2 epochs"}};
  options.validation_data = held_out;
  Trainer trainer(nn::linear(2), loss::cross_entropy,
                  optim::sgd({.lr = 0.1, .schedule = schedule::reduce_on_plateau({.patience = 1})}), 1);
  const History history = trainer.fit(data, options);
  EXPECT_EQ(history.reason, StopReason::finished);
  EXPECT_EQ(history.epochs.size(), 8U);
  EXPECT_EQ(history.best_epoch, 0);
  EXPECT_EQ(history.steps.back().lr, 0.1);
  ASSERT_EQ(history.warnings.size(), 1U);
  EXPECT_NE(history.warnings.front().find("the validation rows weigh nothing"), std::string::npos);
}

TEST(Trainer, AStopTokenEndsTheRunAfterTheStep) {
  std::stop_source stop;
  FitOptions options{.epochs = 50, .batch_size = 16, .stop = stop.get_token()};
  options.on_step = [&](const StepReport& report) {
    if (report.step == 11) stop.request_stop();
  };
  Trainer trainer = moons_trainer();
  const History history = trainer.fit(two_moons(64), options);
  EXPECT_EQ(history.reason, StopReason::stop_requested);
  EXPECT_EQ(history.steps.size(), 11U);
  EXPECT_EQ(trainer.state().step, 11);
}

TEST(Trainer, OnStepSeesEveryStep) {
  std::vector<StepReport> seen;
  FitOptions options{.epochs = 3, .batch_size = 16};
  options.on_step = [&](const StepReport& report) { seen.push_back(report); };
  Trainer trainer = moons_trainer();
  const History history = trainer.fit(two_moons(40), options);
  ASSERT_EQ(seen.size(), 9U);  // two batches of 16 and one of 8, three times
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(seen[i].step, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(seen[i].total_steps, 9);
    EXPECT_EQ(seen[i].epoch, static_cast<std::int64_t>(i) / 3 + 1);
    EXPECT_EQ(seen[i].samples, i % 3 == 2 ? 8 : 16);
    EXPECT_GT(seen[i].lr, 0);
    EXPECT_GT(seen[i].gradient_norm, 0);
    EXPECT_EQ(seen[i].loss, history.steps[i].loss);
  }
}

TEST(Trainer, AWeightOfTwoCountsTheRowTwice) {
  const Dataset data = two_moons(40);
  std::vector<std::int64_t> twice;
  Tensor weight({40}, f32);
  for (std::int64_t i = 0; i < 40; ++i) {
    const std::int64_t times = i % 3;  // some rows have weight 0
    weight.set(i, static_cast<double>(times));
    for (std::int64_t k = 0; k < times; ++k) twice.push_back(i);
  }
  Dataset weighted = data;
  weighted.set("weight", weight);
  const FitOptions options{.epochs = 5, .batch_size = 0, .shuffle = false};
  Trainer by_weight(nn::linear(2), loss::cross_entropy, optim::sgd({.lr = 0.5}), 1);
  Trainer by_rows(nn::linear(2), loss::cross_entropy, optim::sgd({.lr = 0.5}), 1);
  const History a = by_weight.fit(weighted, options), b = by_rows.fit(data.take(twice), options);
  for (std::size_t i = 0; i < a.steps.size(); ++i) EXPECT_NEAR(a.steps[i].loss, b.steps[i].loss, 1e-6);
  for (std::int64_t i = 0; i < by_rows.state().parameters.size(); ++i) {
    EXPECT_NEAR(by_weight.state().parameters.at(i), by_rows.state().parameters.at(i), 1e-5);
  }
}

TEST(Trainer, ValidationDataIsMeasuredAndNotTrainedOn) {
  const Dataset data = two_moons(64), held_out = two_moons(50);
  FitOptions with{.epochs = 3, .batch_size = 16};
  with.validation_data = held_out;
  Trainer watched = moons_trainer(), alone = moons_trainer();
  const History history = watched.fit(data, with);
  (void)alone.fit(data, {.epochs = 3, .batch_size = 16});
  EXPECT_TRUE(identical(watched.state().parameters, alone.state().parameters));
  const Evaluation measured = watched.evaluate(held_out);
  for (const auto& [name, value] : measured.metrics) {
    const Metrics& last = history.epochs.back().metrics;
    EXPECT_EQ(std::ranges::find(last, "validation." + name, &Metrics::value_type::first)->second, value) << name;
  }
}

/// Rows of y = 3x + 1 whose target is in units of 10 and shifted by 100.
Dataset in_tens() {
  Tensor x({20, 1}), y({20, 1});
  for (std::int64_t i = 0; i < 20; ++i) {
    x.set(i, static_cast<double>(i) / 10);
    y.set(i, (3 * x.at(i) + 1 - 100) / 10);
  }
  Dataset data;
  data.set("input", x);
  data.set("target", y);
  data.set_unit({.shift = 100, .scale = 10});
  return data;
}

TEST(Trainer, MetricsAndPredictionsAreInTheUnitOfTheData) {
  const Dataset data = in_tens();
  const auto measure = [](const Dataset& set) {
    Trainer trainer(nn::linear(1), loss::mse, optim::sgd({.lr = 0.01}), 1);
    trainer.init(set, 1);
    return std::pair(trainer.evaluate(set), trainer.predict(set));
  };
  const auto [with_unit, predicted] = measure(data);
  Dataset plain = data;
  plain.set_unit({});
  const auto [without, raw] = measure(plain);
  EXPECT_EQ(with_unit["loss"], without["loss"]);
  EXPECT_NEAR(with_unit["rmse"], 10 * without["rmse"], 1e-4);
  EXPECT_NEAR(with_unit["r2"], without["r2"], 1e-5);
  for (std::int64_t i = 0; i < 20; ++i) EXPECT_NEAR(predicted.at(i), 100 + 10 * raw.at(i), 1e-4);
  const std::vector<std::int64_t> rows = {3, 1};
  for (const Dataset& part : {data.slice(2, 5), data.take(rows), data.select(rows)}) EXPECT_EQ(part.unit().shift, 100);
}

TEST(Trainer, ALossWithoutATaskHasNoMetrics) {
  const auto metrics_of = [](const LossFunction& loss, const Shape& target, std::int64_t outputs) {
    Dataset data;
    data.set("input", random_normal({6, 4}, 1));
    data.set("target", random_uniform(target, 0, 1, 2));
    Trainer trainer(nn::linear(outputs), loss, optim::sgd({.lr = 0.01}), 1);
    trainer.init(data, 1);
    return trainer.evaluate(data).metrics.size();
  };
  EXPECT_EQ(metrics_of(loss::cosine, {6, 3}, 3), 1U);
  EXPECT_EQ(metrics_of(loss::pairwise_ranking, {6}, 2), 1U);
  EXPECT_EQ(metrics_of(loss::kl_divergence, {6, 3}, 3), 1U);
  EXPECT_EQ(metrics_of(loss::binary_cross_entropy, {6, 2}, 2), 1U) << "several binary targets per row";
  EXPECT_EQ(metrics_of(loss::mse, {6, 2}, 2), 4U);
}

TEST(Trainer, ClipNormBoundsTheStep) {
  // in gradient descent with rate 1, the parameters move by the norm of the clipped gradient
  const auto moved_by = [](double clip_norm) {
    auto step =
        train_step(objective_of(nn::linear(2), loss::cross_entropy), optim::sgd({.lr = 1, .clip_norm = clip_norm}), 1);
    const Dataset data = two_moons(64);
    State state = step.init(data, 1);
    const Tensor before = state.parameters;
    const StepReport report = step(state, data);
    double total = 0;
    for (std::int64_t i = 0; i < before.size(); ++i) total += std::pow(state.parameters.at(i) - before.at(i), 2);
    return std::pair(std::sqrt(total), report.gradient_norm);
  };
  const auto [free, norm] = moved_by(0);
  EXPECT_NEAR(free, norm, 1e-6);
  EXPECT_NEAR(moved_by(norm / 4).first, norm / 4, 1e-5);
  EXPECT_NEAR(moved_by(norm * 4).first, norm, 1e-6);
  EXPECT_EQ(moved_by(norm / 4).second, norm) << "the report must have the norm before clipping";
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

TEST(Trainer, NoiseIsTheSameForAnyNumberOfThreadsAndAfterAResume) {
  const auto folder = std::filesystem::temp_directory_path() / ("thalweg-noise-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  const auto noisy = [](int threads) {
    return Trainer(nn::mlp(2, {.hidden = {32, 32}}), loss::cross_entropy, optim::adamw({.lr = 1e-2, .noise = 0.01}),
                   threads);
  };
  const FitOptions options{.epochs = 3, .batch_size = 64, .shard_size = 16};
  Trainer one = noisy(1), four = noisy(4), stopped = noisy(2), resumed = noisy(3);
  (void)one.fit(two_moons(200), options);
  (void)four.fit(two_moons(200), options);
  EXPECT_TRUE(identical(one.state().parameters, four.state().parameters));
  FitOptions part = options;
  part.checkpoints = folder;
  part.stop_after = 5;
  (void)stopped.fit(two_moons(200), part);
  part.stop_after = 0;
  part.resume = true;
  (void)resumed.fit(two_moons(200), part);
  EXPECT_TRUE(identical(one.state().parameters, resumed.state().parameters));
  std::filesystem::remove_all(folder);
}

TEST(Trainer, TheGradientNormExcludesFrozenParameters) {
  const auto first_step = [](std::vector<ParameterGroup> groups) {
    Optimizer optimizer = optim::sgd({.lr = 1});
    optimizer.groups = std::move(groups);
    auto step = train_step(objective_of(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy), optimizer, 1);
    const Dataset data = two_moons(64);
    State state = step.init(data, 1);
    const Tensor before = state.parameters;
    const double norm = step(state, data).gradient_norm;
    double moved = 0;
    for (std::int64_t i = 0; i < before.size(); ++i) moved += std::pow(state.parameters.at(i) - before.at(i), 2);
    return std::pair(norm, std::sqrt(moved));
  };
  const auto [all, all_moved] = first_step({});
  const auto [rest, rest_moved] = first_step({{.pattern = "layer1/*", .frozen = true}});
  EXPECT_NEAR(all, all_moved, 1e-6);
  EXPECT_NEAR(rest, rest_moved, 1e-6);
  EXPECT_LT(rest, 0.99 * all);
}

TEST(Trainer, SkipsStepsThatAreNotFiniteOnRequest) {
  Dataset data = two_moons(64);
  Tensor input = data["input"];
  input.set(20, std::nan(""));  // row 10, which is in one batch of each epoch
  data.set("input", input);
  const FitOptions options{.epochs = 3, .batch_size = 16};
  Trainer strict = moons_trainer();
  EXPECT_THROW((void)strict.fit(data, options), NumericError);
  Trainer skipping(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy,
                   optim::prepend(optim::skip_nonfinite(), optim::adam({.lr = 1e-2})), 1);
  const History history = skipping.fit(data, options);
  EXPECT_EQ(std::ranges::count_if(history.steps, [](const StepReport& s) { return std::isnan(s.loss); }), 3);
  for (const EpochReport& epoch : history.epochs) EXPECT_TRUE(std::isfinite(epoch.metrics.front().second));
  const Tensor& parameters = skipping.state().parameters;
  for (std::int64_t i = 0; i < parameters.size(); ++i) EXPECT_TRUE(std::isfinite(parameters.at(i)));
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

TEST(Trainer, TheErrorIsThatOfTheFirstShard) {
  Dataset data = two_moons(80);
  Tensor labels = data["target"];
  labels.set(75, 9);
  labels.set(25, 8);
  data.set("target", labels);
  for (int round = 0; round < 20; ++round) {
    Trainer trainer = moons_trainer(2);
    try {
      (void)trainer.fit(data, {.epochs = 1, .batch_size = 80, .shard_size = 20, .shuffle = false});
      FAIL() << "invalid labels were accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("label 8 "), std::string::npos) << error.what();
    }
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

TEST(Trainer, PredictsNothingForNoRows) {
  Trainer trainer = moons_trainer();
  (void)trainer.fit(two_moons(64), {.epochs = 1});
  Shape wanted = trainer.predict(two_moons(4)).shape();
  wanted.set(0, 0);
  EXPECT_EQ(trainer.predict(two_moons(4).slice(0, 0)).shape(), wanted);
}

TEST(Trainer, ALabelBeyondTheClassesIsNamedByItsRowOfTheData) {
  Tensor labels({40}, i32);
  labels.set(23, 7);
  Dataset data;
  data.set("input", random_normal({40, 2}, 1));
  data.set("target", labels);
  Trainer trainer(nn::linear(3), loss::cross_entropy({.label_smoothing = 0.1}), optim::sgd({.lr = 0.1}), 1);
  try {
    trainer.fit(data, {.epochs = 1, .batch_size = 16});
    FAIL() << "class 7 does not exist, but was accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("label 7 in row 23 of the data, of 3 classes"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace thalweg
