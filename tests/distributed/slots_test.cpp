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

ModelFunction deep() { return nn::mlp(1, {.hidden = {700, 400, 300, 300}}); }

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

TEST(SharedSlots, PartsCoverTheTrainedParametersOnce) {
  Trainer trainer(deep(), loss::binary_cross_entropy, optim::adam(), 1);
  trainer.init(two_moons(8), 1);
  const Layout& layout = *trainer.state().layout;
  for (const int ranks : {2, 3, 4, 7}) {
    Runs missing{{0, layout.trained_size}};
    for (int rank = 0; rank < ranks; ++rank) {
      const auto shares = share_slots(optim::adam(), layout, rank, ranks, 1 << 16);
      ASSERT_TRUE(shares.has_value());
      const Runs& own = shares->gradients[static_cast<std::size_t>(rank)];
      EXPECT_EQ(length_of(own), shares->own.trained_size);
      EXPECT_EQ(length_of(common_part(missing, own)), length_of(own)) << "a number has two owners";
      missing = difference(missing, own);
      for (const Share run : own) EXPECT_EQ(run.first % slice_block, 0);
      EXPECT_NEAR(static_cast<double>(length_of(own)), static_cast<double>(layout.trained_size) / ranks,
                  4.0 * slice_block);
    }
    EXPECT_TRUE(missing.empty());
  }
}

TEST(SharedSlots, EachRankHasAPartOfEachStretchOfParameters) {
  Trainer trainer(deep(), loss::binary_cross_entropy, optim::adam(), 1);
  trainer.init(two_moons(8), 1);
  for (const int rank : {0, 1}) {
    const auto shares = share_slots(optim::adam(), *trainer.state().layout, rank, 2, 1 << 16);
    ASSERT_TRUE(shares.has_value());
    EXPECT_TRUE(shares->by_number);
    const std::vector<ParameterEntry>& all = trainer.state().layout->entries;
    for (std::size_t i = 0; i < all.size(); ++i)
      EXPECT_FALSE(all[i].shape.size() > 150'000 && shares->own.entries[i].frozen) << all[i].name;
  }
  const ParameterGroup other{.pattern = "layer2/*", .chain = optim::sgd({.lr = 1, .momentum = 0.9}).chain};
  Optimizer two_methods = optim::adam({.lr = 0.01});
  two_methods.groups.push_back(other);  // then slots do not have a number for each trained one
  const auto shares = share_slots(two_methods, *trainer.state().layout, 0, 2, 1 << 16);
  ASSERT_TRUE(shares.has_value());
  EXPECT_FALSE(shares->by_number);
  two_methods.groups.back().pattern = "layer1/weight";
  EXPECT_FALSE(share_slots(two_methods, *trainer.state().layout, 0, 2, 1 << 16).has_value()) << "one rank has none";
}

/// With several large parameters, where ranks share clipped steps, on several threads.
TEST(SharedSlots, OfManyParametersGiveTheBitsOfOneRank) {
  const auto fit = [](const Optimizer& optimizer, double scale, FitOptions options,
                      const std::shared_ptr<Communicator>& ranks) {
    const LossFunction scaled("scaled", {}, Task::binary, [scale](const Var& output, const Var& target) {
      return SampleLosses(scale * LossFunction(loss::binary_cross_entropy).samples(output, target));
    });
    Trainer trainer(deep(), scaled, optimizer, 2);
    options.ranks = ranks;
    (void)trainer.fit(two_moons(120), options);
    return trainer.state();
  };
  const Optimizer clipped = optim::adam({.lr = 0.01, .clip_norm = 0.01});
  Optimizer two_methods = optim::adam({.lr = 0.01});
  two_methods.groups.push_back({.pattern = "layer2/*", .chain = optim::sgd({.lr = 1, .momentum = 0.9}).chain});
  Optimizer of_biases = two_methods;
  of_biases.groups.back().pattern = "*/bias";
  const struct {
    const char* name;
    Optimizer optimizer;
    double scale;
    bool layer_norms;
  } cases[] = {{"clipped", clipped, 1, false},
               {"clipped, norms of layers", clipped, 1, true},
               {"squares below the range", clipped, 1e-25, false},
               {"squares above the range", clipped, 1e25, false},
               {"momentum", optim::sgd({.lr = 0.1, .momentum = 0.9}), 1, false},
               {"two methods", two_methods, 1, false},
               {"a method of biases", of_biases, 1, false},
               {"schedule-free", optim::schedule_free_adamw({.lr = 0.01}), 1, false}};
  for (const auto& [name, optimizer, scale, layer_norms] : cases) {
    const FitOptions options{.steps = 5, .batch_size = 40, .shard_size = 10, .layer_norms = layer_norms};
    const State alone = fit(optimizer, scale, options, {});
    for (const int ranks : {2, 3, 4}) {
      LocalRanks all(ranks);
      all.run([&](const std::shared_ptr<Communicator>& own) {
        expect_same(fit(optimizer, scale, options, own), alone, fmt::format("{}, {} ranks", name, ranks));
      });
    }
  }
}

TEST(SharedSlots, OfManyParametersAreCompleteInACheckpoint) {
  const auto fit = [](FitOptions options, const std::shared_ptr<Communicator>& ranks) {
    Trainer trainer(deep(), loss::binary_cross_entropy, optim::adamw({.lr = 0.01}), 1);
    options.ranks = ranks;
    (void)trainer.fit(two_moons(120), options);
    return trainer.state();
  };
  const FitOptions options{.epochs = 5, .batch_size = 40, .shard_size = 10};
  const State last = trained_in_parts(options, {{2, 3}, {3, 7}, {1, 10}, {4, 12}, {2, 0}}, fit);
  expect_same(last, fit(options, {}), "after five sittings");
}

/// Where nobody looks at the state between two steps, parameters of other ranks are still missing when a step ends.
TEST(SharedSlots, ParametersArriveBeforeAnybodyReadsThem) {
  const auto fit = [](const std::shared_ptr<Communicator>& ranks, std::vector<Tensor>& seen) {
    Trainer trainer(deep(), loss::binary_cross_entropy, optim::adam({.lr = 0.01}), 1);
    FitOptions options{.epochs = 2, .batch_size = 40, .shard_size = 10};
    options.ranks = ranks;
    options.on_epoch = [&](const EpochReport&) { seen.push_back(trainer.state().parameters); };
    options.on_step = [&](const StepReport& report) {
      if (report.step > 3) seen.push_back(trainer.state().parameters);
    };
    (void)trainer.fit(two_moons(120), options);
  };
  std::vector<Tensor> alone;
  fit({}, alone);
  LocalRanks all(3);
  all.run([&](const std::shared_ptr<Communicator>& own) {
    std::vector<Tensor> seen;
    fit(own, seen);
    ASSERT_EQ(seen.size(), alone.size());
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_TRUE(identical(seen[i], alone[i])) << i;
  });
}

/// Rank 0 alone writes a log, or records norms: what ranks send each other is the same then.
TEST(SharedSlots, OneRankMayWatchSteps) {
  const auto fit = [](FitOptions options, const std::shared_ptr<Communicator>& ranks) {
    Trainer trainer(deep(), loss::binary_cross_entropy, optim::adam({.lr = 0.01}), 1);
    options.ranks = ranks;
    std::int64_t seen = 0;
    if (!ranks || ranks->rank() == 0) {
      options.layer_norms = !options.late_reports;
      options.on_step = [&](const StepReport& report) {
        ++seen;
        EXPECT_EQ(report.layer_norms.empty(), options.late_reports);
      };
    }
    const History history = trainer.fit(two_moons(120), options);
    EXPECT_EQ(seen > 0, static_cast<bool>(options.on_step));
    for (const StepReport& step : history.steps) EXPECT_EQ(step.layer_norms.empty(), !options.layer_norms);
    return trainer.state();
  };
  for (const bool late : {false, true}) {
    const FitOptions options{.steps = 6, .batch_size = 40, .shard_size = 10, .late_reports = late};
    const State alone = fit(options, {});
    LocalRanks all(2);
    all.run([&](const std::shared_ptr<Communicator>& own) {
      expect_same(fit(options, own), alone, fmt::format("late {}, rank {}", late, own->rank()));
    });
  }
}

}  // namespace
}  // namespace thalweg
