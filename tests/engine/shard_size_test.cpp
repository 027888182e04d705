// How many shards a batch has by default: by what a row costs beside the parameters.

#include "engine/shard_size.hpp"

#include <gtest/gtest.h>

#include "engine/engine.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

struct Case {
  std::string name;
  ModelFunction model;
  Shape row;
  std::int64_t batch, wanted;
  DType dtype = f32;
};

/// Embeddings of words, trained or not, and a dense network on their mean.
ModelFunction bag_of_words(bool trained) {
  return [trained, head = nn::mlp(4, {.hidden = {64}})](Scope s, Var words) {
    const Scope table = trained ? s / "words" : s.frozen() / "words";
    return head(s / "head", mean(nn::embedding(table, words, {.count = 9000, .width = 32}), {1}));
  };
}

std::vector<Case> cases() {
  const ModelFunction dense = nn::mlp(4, {.hidden = {256, 128}}), large = nn::mlp(4, {.hidden = {2000, 2000}});
  const ModelFunction gpt = nn::gpt(64, {.layers = 2, .width = 64, .heads = 2, .context = 32});
  return {{"DenseOf128", dense, {784}, 128, 32},
          {"DenseOf96", dense, {784}, 96, 24},
          {"DenseOf95", dense, {784}, 95, 48},
          {"DenseOf48", dense, {784}, 48, 24},
          {"DenseOf47", dense, {784}, 47, 47},
          {"DenseOfOne", dense, {784}, 1, 1},
          {"Large", large, {784}, 256, 128},
          {"Small", nn::mlp(4, {.hidden = {16}}), {8}, 1000, 1000},
          {"Sequences", gpt, {32}, 32, 8, i32},
          {"Embedding", bag_of_words(true), {20}, 512, 512, i32},
          {"FrozenEmbedding", bag_of_words(false), {20}, 512, 128, i32}};
}

class ShardSize : public testing::TestWithParam<Case> {};

TEST_P(ShardSize, ByDefault) {
  const Case& c = GetParam();
  Shape shape{c.batch};
  for (const std::int64_t length : c.row) shape.push_back(length);
  const bool sequences = c.name == "Sequences";
  Dataset data;
  data.set("input", random_uniform(shape, 0, 3, 1, f64).to(c.dtype));
  data.set("target", random_uniform(sequences ? shape : Shape{c.batch}, 0, 3, 2, f64).to(i32));
  const EvaluationFunction function = evaluation_of(c.model, loss::cross_entropy);
  Engine engine(function, optim::sgd({.lr = 0.1}), 1);
  State state = engine.init(data, 1, f32);
  EXPECT_EQ(default_shard_size({&function, 1}, columns_of(data), *state.layout, c.batch), c.wanted);

  // and a step takes that size, unless it runs where a batch is one shard
  TrainStep step(objective_of(c.model, loss::cross_entropy), optim::sgd({.lr = 0.1}), 1);
  const auto after = [&](std::int64_t shard_size) {
    State stepped = state;
    (void)step(stepped, data, {}, shard_size);
    return stepped.parameters;
  };
  const std::int64_t wanted = engine.device().takes_batches_whole() ? c.batch : c.wanted;
  EXPECT_TRUE(identical(after(0), after(wanted)));
  if (c.batch == 1) return;
  EXPECT_FALSE(identical(after(0), after(wanted < c.batch ? c.batch : (c.batch + 3) / 4)));
}

Dataset images(std::uint64_t seed, std::int64_t rows) {
  Dataset data;
  data.set("input", random_normal({rows, 784}, seed));
  data.set("target", random_uniform({rows}, 0, 3, seed, f64).to(i32));
  return data;
}
ModelFunction dense() { return nn::mlp(4, {.hidden = {256, 128}}); }

TEST(ShardSizes, AreThoseOfFit) {
  const Dataset data = images(1, 64);
  const auto trained_in = [&](std::int64_t shard_size) {
    Trainer trainer(dense(), loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
    (void)trainer.fit(data, {.epochs = 2, .batch_size = 64, .shard_size = shard_size});
    return trainer.state().parameters;
  };
  const std::int64_t wanted = chosen_device().takes_batches_whole() ? 64 : 32;
  EXPECT_TRUE(identical(trained_in(0), trained_in(wanted)));
  EXPECT_FALSE(identical(trained_in(0), trained_in(wanted == 32 ? 64 : 32)));
}

/// The second objective does little for each parameter, so it takes the batch whole, and then the first does too.
TEST(ShardSizes, OfObjectivesInTurnAreTheLargest) {
  const Dataset data = images(1, 64);
  const Objective large = objective_of(dense(), loss::cross_entropy);
  const auto trainer = [&] {
    return Trainer({{"large", [&](Scope s, const Batch& b) { return large(s / "net", b); }, optim::sgd({.lr = 0.1})},
                    {"small",
                     [](Scope s, const Batch& b) {
                       const Var x = mean(b["input"], {1});
                       return loss::mse(x * s.parameter("w", {1}), x);
                     },
                     optim::sgd({.lr = 0.1})}},
                   {.threads = 1});
  };
  const auto trained_in = [&](std::int64_t shard_size) {
    Trainer one = trainer();
    (void)one.fit(data, {.epochs = 2, .batch_size = 64, .shard_size = shard_size});
    return one.state().parameters;
  };
  EXPECT_TRUE(identical(trained_in(0), trained_in(64)));
  EXPECT_FALSE(identical(trained_in(0), trained_in(32)));
  if (chosen_device().far()) return;  // where nothing is measured
  EXPECT_EQ(trainer().measure(data).shards, 1);
}

/// In a loop of the user's own each batch is another dataset, and the size is not worked out anew for each.
TEST(ShardSizes, AreKnownForBatchesLikeTheOneBefore) {
  int traces = 0;
  const Objective traced = objective_of(dense(), loss::cross_entropy);
  TrainStep step(
      [&](Scope s, const Batch& b) {
        ++traces;
        return traced(s, b);
      },
      optim::sgd({.lr = 0.1}), 1);
  State state = step.init(images(1, 128), 1);
  (void)step(state, images(1, 128));
  const int before = traces;
  for (const std::uint64_t seed : {2, 3, 4}) (void)step(state, images(seed, 128));
  EXPECT_EQ(traces, before);
  (void)step(state, images(5, 64));  // which is cut otherwise
  EXPECT_GT(traces, before);
}

INSTANTIATE_TEST_SUITE_P(Models, ShardSize, testing::ValuesIn(cases()), [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace thalweg
