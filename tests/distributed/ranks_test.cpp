// A training over several ranks gives the bits of one.

#include <gtest/gtest.h>

#include <cstring>

#include "local_ranks.hpp"
#include "moons.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

using testing::LocalRanks;

ModelFunction network() { return nn::mlp(1, {.hidden = {40, 30}}); }

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

State trained(const FitOptions& options, int threads, std::shared_ptr<Communicator> ranks = {}) {
  Trainer trainer(network(), loss::binary_cross_entropy, optim::adam({.lr = 0.01, .clip_norm = 1}), threads);
  FitOptions own = options;
  own.ranks = std::move(ranks);
  trainer.fit(two_moons(300), own);
  return trainer.state();
}

TEST(Ranks, GiveTheBitsOfOne) {
  for (const std::int64_t shard_size : {5, 8, 16, 64}) {
    const FitOptions options{.epochs = 2, .batch_size = 64, .shard_size = shard_size};
    const State alone = trained(options, 1);
    for (const int ranks : {1, 2, 3, 4, 8}) {
      for (const int threads : {1, 2}) {
        LocalRanks all(ranks);
        all.run([&](const std::shared_ptr<Communicator>& own) {
          const State shared = trained(options, threads, own);
          EXPECT_TRUE(same_bits(shared.parameters, alone.parameters))
              << ranks << " ranks of " << threads << " threads, shards of " << shard_size;
          for (std::size_t i = 0; i < alone.slots.size(); ++i)
            EXPECT_TRUE(same_bits(shared.slots[i].second, alone.slots[i].second)) << alone.slots[i].first;
        });
      }
    }
  }
}

TEST(Ranks, StopTogetherWhereOneIsAsked) {
  LocalRanks all(3);
  all.run([&](const std::shared_ptr<Communicator>& own) {
    std::stop_source stop;
    FitOptions options{.epochs = 3, .batch_size = 64, .shard_size = 8, .stop = stop.get_token(), .ranks = own};
    options.on_step = [&](const StepReport& report) {
      if (own->rank() == 1 && report.step == 4) stop.request_stop();
    };
    Trainer trainer(network(), loss::binary_cross_entropy, optim::adam(), 1);
    const History history = trainer.fit(two_moons(300), options);
    EXPECT_EQ(history.reason, StopReason::stop_requested);
    EXPECT_EQ(trainer.state().step, 4);
  });
}

TEST(Ranks, SendEachOtherOneSumEach) {
  LocalRanks all(4);
  std::int64_t parameters = 0;
  all.run([&](const std::shared_ptr<Communicator>& own) {
    const State state = trained({.steps = 1, .batch_size = 64, .shard_size = 8}, 1, own);
    if (own->rank() == 0) parameters = state.layout->size;
  });
  // three quarters of a gradient to the others, and the sum back, a rank
  const auto wanted = static_cast<double>(4 * 2 * 3 * parameters);
  EXPECT_NEAR(static_cast<double>(all.bytes()), wanted, 2000);
}

}  // namespace
}  // namespace thalweg
