// Trainings that collect their own rows, as by reinforcement learning.

#include <gtest/gtest.h>

#include <algorithm>

#include "store/checkpoint.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg::testing {
namespace {

constexpr std::int64_t count = 24;

Dataset blank() {
  Dataset rows;
  rows.set("input", zeros({count, 2}));
  rows.set("target", zeros({count, 1}));
  return rows;
}

/// Makes rows that depend on the state, the number of the collection, and what the last collection kept.
Collection collected(const State& state, const CollectRequest& request) {
  const double weight = state.parameter("output/weight").at(0);
  const double before = request.last ? request.last->kept.at(0).second.item() : 0;
  Dataset rows;
  rows.set("input", random_normal({count, 2}, request.seed + static_cast<std::uint64_t>(request.number)));
  rows.set("target", full({count, 1}, 1 + 0.1 * weight + 0.01 * before));
  return {rows, {{"count", full({1}, before + 1)}}, {{"collections", before + 1}}};
}

Trainer trainer() { return Trainer(nn::linear(1), loss::mse, optim::adam({.lr = 0.01}), 1); }

FitOptions options() { return {.epochs = 6, .batch_size = 8, .collect = collected, .passes = 2}; }

class CollectTest : public TemporaryFolderTest {};

TEST_F(CollectTest, RowsAreCollectedFromTheCurrentStateEveryPassesEpochs) {
  std::vector<std::int64_t> numbers, steps;
  FitOptions each = options();
  each.collect = [&](const State& state, const CollectRequest& request) {
    numbers.push_back(request.number);
    steps.push_back(state.step);
    EXPECT_EQ(request.last == nullptr, request.number == 0);
    return collected(state, request);
  };
  Trainer own = trainer();
  const History history = own.fit(blank(), each);
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 6, 12}));
  ASSERT_EQ(history.epochs.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    const auto& metrics = history.epochs[i].metrics;
    const auto found = std::ranges::find(metrics, "collections", &Metrics::value_type::first);
    ASSERT_NE(found, metrics.end());
    EXPECT_EQ(found->second, 1 + static_cast<double>(i / 2));
  }
}

TEST_F(CollectTest, ARunThatWasStoppedAnywhereResumesWithTheSameBits) {
  Trainer whole = trainer();
  whole.fit(blank(), options());
  for (std::int64_t stop = 1; stop < 18; ++stop) {
    FitOptions some = options();
    some.checkpoints = path(std::to_string(stop)).string();
    some.stop_after = stop;
    trainer().fit(blank(), some);
    some.stop_after = 0;
    some.resume = true;
    Trainer resumed = trainer();
    resumed.fit(blank(), some);
    EXPECT_TRUE(identical(whole.state().parameters, resumed.state().parameters)) << stop;
  }
}

TEST_F(CollectTest, AnInterruptedCollectionIsMadeAgain) {
  Trainer whole = trainer();
  whole.fit(blank(), options());
  for (const std::int64_t cut : {0, 1, 2}) {
    FitOptions some = options();
    some.checkpoints = path("cut" + std::to_string(cut)).string();
    bool stops = false;
    some.stop = [&] { return stops; };
    some.collect = [&](const State& state, const CollectRequest& request) {
      stops = request.number == cut;
      return request.stop.stop_requested() ? Collection{} : collected(state, request);
    };
    Trainer stopped = trainer();
    EXPECT_EQ(stopped.fit(blank(), some).reason, StopReason::stop_requested);
    EXPECT_EQ(stopped.state().step, 6 * cut);
    FitOptions rest = options();
    rest.checkpoints = some.checkpoints;
    rest.resume = true;
    Trainer resumed = trainer();
    EXPECT_TRUE(resumed.fit(blank(), rest).warnings.empty());
    EXPECT_TRUE(identical(whole.state().parameters, resumed.state().parameters)) << cut;
  }
}

TEST_F(CollectTest, RowsThatDifferFromTheDeclaredOnesAreRefused) {
  FitOptions wrong = options();
  wrong.collect = [](const State& state, const CollectRequest& request) {
    Collection rows = collected(state, request);
    rows.rows = rows.rows.slice(0, count - 1);
    return rows;
  };
  EXPECT_THROW(trainer().fit(blank(), wrong), UsageError);
  wrong.collect = [](const State& state, const CollectRequest& request) {
    Collection rows = collected(state, request);
    rows.rows.set("target", zeros({count, 1}, f64));
    return rows;
  };
  EXPECT_THROW(trainer().fit(blank(), wrong), UsageError);
  wrong = options();
  wrong.passes = 0;
  EXPECT_THROW(trainer().fit(blank(), wrong), UsageError);
}

TEST_F(CollectTest, ADamagedCollectionIsSkipped) {
  FitOptions some = options();
  some.checkpoints = path("c").string();
  some.checkpoint_every = "1 steps";
  some.stop_after = 9;
  trainer().fit(blank(), some);
  const auto newest = path("c") / "step-000000009" / "collection.safetensors";
  ASSERT_TRUE(std::filesystem::exists(newest));
  std::string bytes = read_text(newest);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(newest, std::ios::binary) << bytes;
  some.stop_after = 0;
  some.resume = true;
  Trainer resumed = trainer(), whole = trainer();
  const History history = resumed.fit(blank(), some);
  ASSERT_EQ(history.warnings.size(), 1u);
  EXPECT_NE(history.warnings[0].find("collection"), std::string::npos) << history.warnings[0];
  whole.fit(blank(), options());
  EXPECT_TRUE(identical(whole.state().parameters, resumed.state().parameters));
}

}  // namespace
}  // namespace thalweg::testing
