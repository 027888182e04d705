// Strands: what shares no memory with the rest runs at the same time, with the same bits.

#include <gtest/gtest.h>

#include "evaluate.hpp"
#include "optim/update.hpp"
#include "plan/program.hpp"
#include "thalweg/curved_optimizers.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t matrices = 6;

Place matrix(std::int64_t i, std::int64_t size) { return {first_user_base, i * size * size * 4}; }
constexpr Place rate = {first_user_base + 1, 0};

/// x_i += tanh(sqrt(rate) x_i x_i / size + `more`(x)) x_i for each of six square matrices.
class Update {
 public:
  using More = std::function<Var(std::span<const Var>)>;
  explicit Update(std::int64_t size, const More& more = {}, Passes passes = {.strands = true}) : size_(size) {
    std::vector<Var> x;
    std::vector<Bound> inputs, outputs;
    const Var factor = graph_.scalar("rate");
    inputs.push_back({factor, rate});
    for (std::int64_t i = 0; i < matrices; ++i) {
      x.push_back(graph_.input("x" + std::to_string(i), {size, size}, f32));
      inputs.push_back({x.back(), matrix(i, size)});
    }
    const Var sum_of_all = more ? more(x) : Var{};
    for (std::int64_t i = 0; i < matrices; ++i) {
      const Var own = x[static_cast<std::size_t>(i)];
      Var y = sqrt(factor) * matmul(own, own) / static_cast<double>(size);
      if (sum_of_all.defined()) y = y + sum_of_all;
      outputs.push_back({own + matmul(tanh(y), own), matrix(i, size)});
    }
    program_.emplace(graph_, inputs, outputs, passes);
  }

  [[nodiscard]] const Program& program() const { return *program_; }

  /// The matrices after four runs.
  [[nodiscard]] Tensor after(int threads, int lanes) const {
    Tensor x = random_uniform({matrices, size_, size_}, -1, 1, 7, f32);
    double numbers[] = {0.5};
    std::byte* bases[] = {x.mutable_raw(), reinterpret_cast<std::byte*>(numbers)};
    Workers workers(threads);
    const Block arena(program_->arena_bytes(lanes));
    Program::Calls calls(lanes);
    for (int run = 0; run < 4; ++run) program_->run(bases, arena.data(), workers, calls);
    EXPECT_TRUE(calls.are_bound());
    return x;
  }

 private:
  Graph graph_;
  std::int64_t size_;
  std::optional<Program> program_;
};

TEST(Strands, RunAtTheSameTimeWithTheSameBits) {
  const Update update(256);
  EXPECT_EQ(update.program().lanes(1), 1);
  EXPECT_EQ(update.program().lanes(2), 2);
  const Tensor wanted = Update(256, {}, {}).after(1, 1);  // without strands
  for (const int threads : {1, 2, 3}) {
    for (const int lanes : {1, 2, 3, 5, 9})
      EXPECT_TRUE(identical(update.after(threads, lanes), wanted)) << threads << " threads, " << lanes << " lanes";
  }
}

TEST(Strands, AreOneWhereAValueOfAllIsRead) {
  const Update update(256, [](std::span<const Var> x) {
    Var all = sum(x[0]);
    for (std::size_t i = 1; i < x.size(); ++i) all = all + sum(x[i]);
    return all;
  });
  EXPECT_EQ(update.program().lanes(8), 1);
}

TEST(Strands, AreOneWhereOneOverwritesWhatAnotherReads) {
  constexpr std::int64_t size = 400;
  for (const bool is_read : {false, true}) {
    Graph graph;
    const Var a = graph.input("a", {size, size}, f32), b = graph.input("b", {size, size}, f32);
    const Var c = graph.input("c", {size, size}, f32);  // in the place of which the product of a is written
    const Var second = is_read ? matmul(b, c) : matmul(b, b);
    const Program program(graph, {{a, matrix(0, size)}, {b, matrix(1, size)}, {c, matrix(2, size)}},
                          {{matmul(a, a), matrix(2, size)}, {second, matrix(3, size)}}, Passes{.strands = true});
    EXPECT_EQ(program.lanes(8), is_read ? 1 : 2);
  }
}

/// x and y change places in each of two strands: each output would overwrite what the other one reads.
TEST(Strands, KeepWhatIsStillRead) {
  constexpr std::int64_t size = 400;
  const auto after = [&](bool strands) {
    Graph graph;
    std::vector<Bound> inputs, outputs;
    for (std::int64_t i = 0; i < 4; i += 2) {
      const Var x = graph.input("x" + std::to_string(i), {size, size}, f32);
      const Var y = graph.input("y" + std::to_string(i), {size, size}, f32);
      inputs.push_back({x, matrix(i, size)});
      inputs.push_back({y, matrix(i + 1, size)});
      outputs.push_back({matmul(y, y), matrix(i, size)});
      outputs.push_back({matmul(x, x), matrix(i + 1, size)});
    }
    const Program program(graph, inputs, outputs, Passes{.strands = strands});
    EXPECT_EQ(program.lanes(8) > 1, strands);
    const int lanes = program.lanes(2);
    Tensor values = random_uniform({4, size, size}, -0.05, 0.05, 5, f32);
    std::byte* bases[] = {values.mutable_raw()};
    Workers workers(2);
    const Block arena(program.arena_bytes(lanes));
    Program::Calls calls(lanes);
    for (int run = 0; run < 3; ++run) program.run(bases, arena.data(), workers, calls);
    return values;
  };
  EXPECT_TRUE(identical(after(true), after(false)));
}

TEST(Strands, AreNotWorthwhileForLittleWork) { EXPECT_EQ(Update(16).program().lanes(8), 1); }

TEST(Strands, OfAnOptimizerGiveTheSameBitsForAnyNumberOfThreads) {
  Dataset data;
  data.set("input", random_uniform({8, 300}, -1, 1, 3, f32));
  data.set("target", random_uniform({8, 1}, -1, 1, 4, f32));
  std::shared_ptr<const Layout> layout;
  const auto trained = [&](Optimizer optimizer, int threads) {
    Trainer trainer(nn::mlp(1, {.hidden = {256, 256, 200}}), loss::mse, std::move(optimizer), threads);
    (void)trainer.fit(data, {.epochs = 4, .batch_size = 8});
    layout = trainer.state().layout;
    return trainer.state().parameters;
  };
  for (const auto& make : {+[] { return optim::muon({.lr = 0.01}); }, +[] { return optim::shampoo({.lr = 0.01}); }}) {
    const Tensor wanted = trained(make(), 1);
    EXPECT_EQ(make_update(make(), *layout).program->lanes(2), 2);
    for (const int threads : {2, 3, 8}) EXPECT_TRUE(identical(trained(make(), threads), wanted)) << threads;
  }
}

}  // namespace
}  // namespace thalweg
