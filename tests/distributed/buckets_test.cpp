// Buckets of a gradient: a bucket does not change after it has been sent, and most buckets are sent before the backward
// pass ends.

#include "engine/buckets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "allocations.hpp"
#include "engine/rank_sum.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/sequence.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

Dataset texts(std::int64_t rows) {
  Dataset data;
  for (const char* name : {"input", "target"}) {
    Tensor values = zeros({rows, 8}, i32);
    for (std::int64_t i = 0; i < values.size(); ++i) values.set(i, static_cast<double>((7 * i + i / 5) % 32));
    data.set(name, values);
  }
  return data;
}

/// A step of a transformer with three layers, in four shards of 2 rows and a last shard of 1 row.
struct Step {
  Dataset data = texts(9);
  Workers workers{2};
  Programs programs{
      {evaluation_of(nn::gpt(32, {.layers = 3, .width = 128, .heads = 2, .context = 8}), loss::cross_entropy)},
      nullptr};
  State state;
  StepLayout step;
  BatchPrograms batch;
  Buckets buckets;

  Step() {
    Trainer trainer(nn::gpt(32, {.layers = 3, .width = 128, .heads = 2, .context = 8}), loss::cross_entropy,
                    optim::sgd(), 1);
    trainer.init(data, 3);
    state = trainer.state();
    step = step_layout(*state.layout, {*state.layout});
    batch = programs.for_batch(state, step, {data}, 2);
    buckets = buckets_of(batch, step.size, f32);
  }
};

TEST(Buckets, ContainEveryElementOfTheGradientOnce) {
  const Step step;
  std::vector<int> times(static_cast<std::size_t>(step.step.size));
  for (const Runs& runs : step.buckets.runs) {
    for (const Share run : runs) {
      for (std::int64_t i = run.first; i < run.last; ++i) ++times[static_cast<std::size_t>(i)];
    }
  }
  EXPECT_EQ(std::ranges::count(times, 1), step.step.size);
  EXPECT_GE(step.buckets.runs.size(), 3U);
}

TEST(Buckets, AreFinalWhereTheyAreCut) {
  Step step;
  for (const std::int64_t shard : {std::int64_t{0}, step.batch.shards - 1}) {
    const ShardProgram& program = step.batch.of(shard);
    const auto& cuts = shard == 0 ? step.buckets.whole_cuts : step.buckets.last_cuts;
    Block block(TreeSum::block_bytes(step.step.size, f32, program.doubles())), memory(program.memory_bytes());
    std::vector<std::vector<float>> seen;
    const auto values = [&](std::int64_t bucket) {
      std::vector<float> now;
      for (const Share run : step.buckets.runs[static_cast<std::size_t>(bucket)]) {
        const auto* first = reinterpret_cast<const float*>(block.data());
        now.insert(now.end(), first + run.first, first + run.last);
      }
      return now;
    };
    auto* sums = reinterpret_cast<double*>(block.data() + TreeSum::doubles_at(step.step.size, f32));
    program.run({step.state, {step.data}, step.batch.first_row(shard), block.data(), sums}, memory.data(), step.workers,
                cuts, [&](std::int64_t bucket) { seen.push_back(values(bucket)); });
    ASSERT_EQ(seen.size(), step.buckets.runs.size());
    for (std::size_t k = 0; k < seen.size(); ++k) EXPECT_EQ(seen[k], values(static_cast<std::int64_t>(k))) << k;

    Block whole(block.size());
    auto* all = reinterpret_cast<double*>(whole.data() + TreeSum::doubles_at(step.step.size, f32));
    program.run({step.state, {step.data}, step.batch.first_row(shard), whole.data(), all}, memory.data(), step.workers);
    EXPECT_EQ(std::memcmp(whole.data(), block.data(), static_cast<std::size_t>(step.step.size) * sizeof(float)), 0);
    EXPECT_EQ(all[0], sums[0]);
  }
}

TEST(Buckets, AreSentDuringTheBackwardPass) {
  const Step step;
  const std::vector<std::size_t>& cuts = step.buckets.whole_cuts;
  EXPECT_TRUE(std::ranges::is_sorted(cuts));
  EXPECT_EQ(cuts.back(), step.batch.whole->program().instructions());
  EXPECT_LT(cuts.front(), cuts.back() * 4 / 5);
}

/// A communicator of the first of two ranks. The other rank is simulated: it answers at once with zeros, or never.
class Alone final : public Communicator {
 public:
  explicit Alone(bool holds = false) : holds_(holds) {}
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 2; }
  [[nodiscard]] const std::string& host(int) const override { return host_; }
  [[nodiscard]] int ranks_on_host() const override { return 2; }
  [[nodiscard]] Ticket start(const Messages& messages, int channel, const std::shared_ptr<Relay>& relay) override {
    if (holds_) {
      held_ = relay;
      if (channel > 1) throw DistributedError("gone");
      return 0;
    }
    for (const Message& m : messages.received) std::memset(m.data, 0, m.bytes);
    const Messages next = relay->second(channel);
    EXPECT_EQ(next.sent.empty(), false);
    for (const Message& m : next.received) std::memset(m.data, 0, m.bytes);
    return 0;
  }
  void wait(Ticket) override {}
  void finish() override {}
  bool give_up(std::chrono::milliseconds) override { return true; }
  std::shared_ptr<Relay> held_;

 private:
  const std::string host_ = "here";
  bool holds_;
};

TEST(RankSum, AllocatesNothingBeyondTheShardsInAStep) {
  Step step;
  BlockPool pool;
  Workers one{1};
  const auto ranks = std::make_shared<Alone>();
  RankSums sums(ranks, pool, one);
  const auto of = [](const auto& run) {
    const long before = testing::allocations();
    run();
    return testing::allocations() - before;
  };
  const auto share = [&] { pool.give_back(sums(step.state, {step.data}, step.batch, step.step.size, {})); };
  const ShardProgram& program = *step.batch.whole;
  const Block block(TreeSum::block_bytes(step.step.size, f32, program.doubles())), memory(program.memory_bytes());
  const auto two_shards = [&] {  // allocates only in oneDNN's products
    auto* sum = reinterpret_cast<double*>(block.data() + TreeSum::doubles_at(step.step.size, f32));
    for (const std::int64_t shard : {0, 1})
      program.run({step.state, {step.data}, step.batch.first_row(shard), block.data(), sum}, memory.data(), one);
  };
  for (int round = 0; round < 2; ++round) share(), two_shards();
  EXPECT_EQ(of(share), of(two_shards));
}

TEST(RankSum, AfterAnErrorMessagesInFlightKeepTheirMemory) {
  Step step;
  const auto ranks = std::make_shared<Alone>(true);
  {
    BlockPool pool;
    RankSums sums(ranks, pool, step.workers);
    EXPECT_THROW((void)sums(step.state, {step.data}, step.batch, step.step.size, {}), DistributedError);
  }
  ASSERT_TRUE(ranks->held_);
  const Messages next = ranks->held_->second(1);  // its memory still exists, and it adds nothing
  EXPECT_TRUE(next.sent.empty());
  EXPECT_TRUE(next.received.empty());
}

}  // namespace
}  // namespace thalweg
