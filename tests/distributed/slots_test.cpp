// Slots that are divided among the ranks: the same bits as one rank that keeps all, in a part of the memory, and with
// checkpoints that any number of ranks reads.

#include "engine/slot_shares.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "local_ranks.hpp"
#include "moons.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg {
namespace {

using testing::expect_same;
using testing::LocalRanks;
using testing::trained_in_parts;

ModelFunction wide() { return nn::mlp(1, {.hidden = {300, 260}}); }

State trained(const Optimizer& optimizer, FitOptions options, std::shared_ptr<Communicator> ranks = {}) {
  Trainer trainer(wide(), loss::binary_cross_entropy, optimizer, 1);
  options.ranks = std::move(ranks);
  (void)trainer.fit(two_moons(120), options);
  return trainer.state();
}

TEST(SharedSlots, GiveTheBitsOfOneRankWithEveryOptimizer) {
  for (const OptimizerRow& row : optimizers()) {
    if (row.owns_steps) continue;
    const bool has_rate = std::ranges::count(row.options, "lr", &OptionDoc::name) > 0;
    const Optimizer optimizer = row.make(has_rate ? OptionMap{{"lr", {0.01}}} : OptionMap{});
    const FitOptions options{.steps = 4, .batch_size = 40, .shard_size = 10};
    const State alone = trained(optimizer, options);
    LocalRanks all(3);
    all.run([&](const std::shared_ptr<Communicator>& own) {
      expect_same(trained(optimizer, options, own), alone, fmt::format("{}, rank {}", row.name, own->rank()));
    });
  }
}

TEST(SharedSlots, TakeAQuarterOfTheMemoryOnFourRanks) {
  LocalRanks all(4);
  all.run([](const std::shared_ptr<Communicator>& own) {
    (void)trained(optim::adam({.lr = 0.01}), {.steps = 2, .batch_size = 40, .shard_size = 10}, own);
    const Communicator::Kept kept = own->kept();
    EXPECT_EQ(kept.whole_slots, 2 * 4 * (2 * 300 + 300 + 300 * 260 + 260 + 260 + 1));
    EXPECT_LE(static_cast<double>(kept.most_slots), 0.3 * static_cast<double>(kept.whole_slots));
    EXPECT_GE(kept.most_slots, kept.whole_slots / 4);
  });
}

TEST(SharedSlots, StayOnEveryRankWhereMessagesWouldTakeLongerThanTheUpdate) {
  Trainer trainer(wide(), loss::binary_cross_entropy, optim::adam(), 1);
  trainer.init(two_moons(8), 1);
  const Layout& layout = *trainer.state().layout;
  const auto is_shared = [&](const Optimizer& optimizer, const Layout& trained) {
    return share_slots(optimizer, trained, 0, 2, fewest_shared).has_value();
  };
  EXPECT_FALSE(is_shared(optim::adam(), layout)) << layout.trained_size;
  EXPECT_TRUE(is_shared(optim::lamb(), layout)) << "a rule of whole parameters does more with each number";
  Trainer large(nn::mlp(1, {.hidden = {1100, 1000}}), loss::binary_cross_entropy, optim::adam(), 1);
  large.init(two_moons(8), 1);
  EXPECT_TRUE(is_shared(optim::adam(), *large.state().layout));
  LocalRanks all(2, fewest_shared);
  all.run([](const std::shared_ptr<Communicator>& own) {
    (void)trained(optim::adam({.lr = 0.01}), {.steps = 2, .batch_size = 40, .shard_size = 10}, own);
    EXPECT_EQ(own->kept().most_slots, own->kept().whole_slots);
  });
}

TEST(SharedSlots, OfAMatrixMethodAreDividedByMatrices) {
  Dataset texts;
  texts.set("input", zeros({16, 12}, i32));
  texts.set("target", zeros({16, 12}, i32));
  const auto fit = [&](const std::shared_ptr<Communicator>& ranks) {
    Trainer trainer(nn::gpt(64, {.layers = 4, .width = 64, .heads = 2, .context = 12}), loss::cross_entropy,
                    optim::muon({.lr = 0.02}), 1);
    FitOptions options{.steps = 3, .batch_size = 8, .shard_size = 2};
    options.ranks = ranks;
    (void)trainer.fit(texts, options);
    return trainer.state();
  };
  const State alone = fit({});
  LocalRanks all(4);
  all.run([&](const std::shared_ptr<Communicator>& own) {
    expect_same(fit(own), alone, "muon");
    EXPECT_LE(static_cast<double>(own->kept().most_slots), 0.3 * static_cast<double>(own->kept().whole_slots));
  });
}

TEST(SharedSlots, AreCompleteInACheckpointForAnotherNumberOfRanks) {
  const Optimizer optimizer = optim::adamw({.lr = 0.01});
  const FitOptions options{.epochs = 5, .batch_size = 40, .shard_size = 10};
  const State alone = trained(optimizer, options);
  const State last = trained_in_parts(
      options, {{1, 3}, {4, 7}, {3, 11}, {1, 0}},
      [&](const FitOptions& part, const std::shared_ptr<Communicator>& own) { return trained(optimizer, part, own); });
  expect_same(last, alone, "after four sittings");
}

TEST(SharedSlots, ASecondFitContinuesFromThem) {
  const auto twice = [](const std::shared_ptr<Communicator>& ranks) {
    Trainer trainer(wide(), loss::binary_cross_entropy, optim::adam({.lr = 0.01}), 1);
    FitOptions options{.steps = 3, .batch_size = 40, .shard_size = 10};
    options.ranks = ranks;
    (void)trainer.fit(two_moons(120), options);
    (void)trainer.step("", two_moons(40));
    (void)trainer.fit(two_moons(120), options);
    return trainer.state();
  };
  const State alone = twice({});
  LocalRanks all(2);
  all.run([&](const std::shared_ptr<Communicator>& own) { expect_same(twice(own), alone, "two fits and a step"); });
}

TEST(SharedSlots, PartsCoverTheTrainedParametersInOrder) {
  Trainer trainer(wide(), loss::binary_cross_entropy, optim::adam(), 1);
  trainer.init(two_moons(8), 1);
  const Layout& layout = *trainer.state().layout;
  for (const int ranks : {2, 3, 4, 7}) {
    std::int64_t next = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto shares = share_slots(optim::adam(), layout, rank, ranks, 1 << 16);
      ASSERT_TRUE(shares.has_value());
      EXPECT_EQ(shares->gradient_at, next);
      EXPECT_EQ(shares->gradient_at % slice_block, 0);
      next += shares->own.trained_size;
    }
    EXPECT_EQ(next, layout.trained_size);
  }
}

}  // namespace
}  // namespace thalweg
