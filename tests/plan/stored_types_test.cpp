// Values stored in bf16: only operands and results of products are, and every reader sees the rounded value.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate.hpp"
#include "random_graph.hpp"
#include "thalweg/error.hpp"
#include "thalweg/sequence.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg {
namespace {

constexpr Passes in_bf16{.precision = Precision::bf16};

Tensor rounded(const Tensor& x) {
  Tensor y(x.shape(), f32);
  round_to_bf16(y.mutable_values<float>().data(), x.values<float>().data(), x.size());
  return y;
}

/// The value of f in f32.
Tensor plain(const std::function<Var(const Vars&)>& f, const std::vector<Tensor>& x) {
  return evaluate([&](const Vars& v) { return Vars{f(v)}; }, x).front();
}

Tensor plain_product(const Tensor& a, const Tensor& b, bool turn_a = false, bool turn_b = false) {
  return plain([&](const Vars& v) { return matmul(v[0], v[1], turn_a, turn_b); }, {a, b});
}

/// The sizes of a product.
struct Sizes {
  std::int64_t rows, in, hidden, out;
};

TEST(StoredTypes, AStepIsThatOfF32WithOperandsAndResultsRounded) {
  for (const auto& [rows, in, hidden, out] : {Sizes{6, 5, 7, 3}, Sizes{130, 90, 70, 40}}) {
    const Tensor x = random_normal({rows, in}, 1), w = random_normal({in, hidden}, 2), c = random_normal({hidden}, 3),
                 u = random_normal({hidden, out}, 4), t = random_normal({rows, out}, 5);
    const auto results = evaluate(
        [](const Vars& v) {
          const Var y = matmul(tanh(matmul(v[0], v[1]) + v[2]), v[3]);
          const Var loss = mean(square(y - v[4]));
          Vars outputs = gradients(loss, {v[1], v[2], v[3]});
          outputs.push_back(loss);
          return outputs;
        },
        {x, w, c, u, t}, in_bf16);

    // operands and results of products are rounded explicitly; all else is f32
    const Tensor a = rounded(plain_product(rounded(x), rounded(w)));
    const Tensor h = rounded(plain([](const Vars& v) { return tanh(v[0] + v[1]); }, {a, c}));
    const Tensor y = rounded(plain_product(h, rounded(u)));
    const Tensor loss = plain([](const Vars& v) { return mean(square(v[0] - v[1])); }, {y, t});
    const Tensor dy =
        rounded(plain([](const Vars& v) { return gradients(mean(square(v[0] - v[1])), {v[0]}).front(); }, {y, t}));
    const Tensor du = plain_product(h, dy, true);
    const Tensor dh = rounded(plain_product(dy, rounded(u), false, true));
    const auto through_tanh = [](const Vars& v) { return v[1] * (1 - square(v[0])); };
    const Tensor da = plain(through_tanh, {h, dh});
    const Tensor dw = plain_product(rounded(x), rounded(da), true);
    const Tensor dc = plain([](const Vars& v) { return sum(v[0], 0); }, {rounded(da)});
    EXPECT_TRUE(identical(results[3], loss)) << results[3].item() << " " << loss.item();
    EXPECT_TRUE(identical(results[2], du));
    EXPECT_TRUE(identical(results[0], dw));
    EXPECT_TRUE(identical(results[1], dc));
    EXPECT_FALSE(identical(rounded(results[0]), results[0]));  // a gradient of parameters is not rounded
  }
}

/// Expects that operands and result of a product are rounded, for any number of threads.
void expect_rounded(const std::function<Var(const Vars&)>& product, const std::vector<Tensor>& x) {
  const auto after = [&](const Vars& v) { return Vars{tanh(max(product(v), 0, Keep::yes))}; };
  std::vector<Tensor> read = x;
  for (Tensor& input : read) input = rounded(input);
  const Tensor result = rounded(plain(product, read));
  const Tensor wanted = plain([](const Vars& v) { return tanh(max(v[0], 0, Keep::yes)); }, {result});
  for (const int threads : {1, 2, 3}) {
    const Tensor got = evaluate(after, x, in_bf16, threads).front();
    EXPECT_TRUE(identical(got, wanted)) << threads << " threads";
  }
}

TEST(StoredTypes, EveryProductReadsAndWritesThem) {
  expect_rounded([](const Vars& v) { return matmul(v[0], v[1]); },
                 {random_normal({5, 30, 20}, 1), random_normal({5, 20, 40}, 2)});
  expect_rounded([](const Vars& v) { return matmul(v[0], v[1], true, true); },
                 {random_normal({600, 500}, 1), random_normal({300, 600}, 2)});
  expect_rounded([](const Vars& v) { return conv2d(v[0], v[1]); },
                 {random_normal({3, 12, 12, 8}, 1), random_normal({3, 3, 8, 16}, 2)});
  expect_rounded([](const Vars& v) { return self_attention(v[0], {.causal = true}); },
                 {random_normal({2, 40, 3, 4, 16}, 1)});
  expect_rounded([](const Vars& v) { return attention(v[0], v[1], v[2]); },
                 {random_normal({2, 9, 2, 8}, 1), random_normal({2, 11, 2, 8}, 2), random_normal({2, 11, 2, 8}, 3)});
}

TEST(StoredTypes, FunctionsWithoutProductsDoNotChange) {
  const std::vector<Tensor> x = {random_normal({50, 70}, 1), random_normal({70}, 2)};
  const Traced f = [](const Vars& v) {
    const Var loss = mean(square(softmax(v[0] * v[1]) - 1));
    Vars outputs = gradients(loss, {v[0], v[1]});
    outputs.push_back(loss);
    return outputs;
  };
  const auto wanted = evaluate(f, x), got = evaluate(f, x, in_bf16);
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(identical(got[i], wanted[i]));
  const Trace trace(f, x);
  EXPECT_EQ(Program(trace.graph, trace.inputs, trace.outputs, in_bf16).bf16_values(), 0);
}

/// A function of random ops and products, with its gradients.
Traced random_with_products(std::uint64_t seed) {
  return [seed](const Vars& x) {
    Vars pool(x.begin(), x.end() - 1);
    for (std::uint64_t round = 0; round < 3; ++round) {
      RandomGraph random(10 * seed + round, pool, x.back());
      random.grow(3 + static_cast<int>(seed % 5));
      pool = random.pool();
      Vars square;
      std::ranges::copy_if(pool, std::back_inserter(square), [&](Var v) { return v.shape() == x[0].shape(); });
      const auto one = [&] { return square[random.below(square.size())]; };
      pool.push_back(matmul(one(), tanh(one()), random.below(2) == 0, random.below(2) == 0));
    }
    Var loss = mean(tanh(pool.back()));
    for (std::size_t i = x.size(); i < pool.size(); i += 2) loss = loss + mean(sin(pool[i]));
    Vars outputs = gradients(loss, Vars(x.begin(), x.end() - 1));
    outputs.push_back(loss);
    return outputs;
  };
}

TEST(StoredTypes, NoPassAndNoThreadChangesABit) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::vector<Tensor> inputs;
    for (std::uint64_t i = 0; i < 4; ++i) inputs.push_back(random_uniform({6, 6}, -1, 1, 5 * seed + i));
    inputs.push_back(random_uniform({5}, 0, 5, seed, f64).to(i32));
    const Trace trace(random_with_products(seed), inputs);
    const auto wanted = trace.run(inputs, in_bf16);
    EXPECT_GT(Program(trace.graph, trace.inputs, trace.outputs, in_bf16).bf16_values(), 0);
    for (Passes passes :
         {Passes{.simplify = false}, Passes{.fuse = false}, Passes{.order = false}, Passes{.reuse = false},
          Passes{.compile = false}, Passes{false, false, false, false, false}}) {
      passes.precision = Precision::bf16;
      const auto got = trace.run(inputs, passes, 1 + static_cast<int>(seed % 3));
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_TRUE(same_bits(got[i], wanted[i])) << "seed " << seed << ", output " << i << ", passes "
                                                  << passes.simplify << passes.fuse << passes.order << passes.reuse;
      }
    }
  }
}

/// The gradients of a deep network of width 64, and the node where its backward pass begins.
struct Deep {
  std::vector<Tensor> inputs = {random_normal({256, 64}, 1)};
  int backward_begins = 0;
  std::optional<Trace> trace;

  Deep() {
    for (std::uint64_t i = 0; i < 12; ++i) inputs.push_back(random_uniform({64, 64}, -0.3, 0.3, i + 2));
    trace.emplace(
        [this](const Vars& v) {
          Var x = v[0];
          for (std::size_t i = 1; i < v.size(); ++i) x = x + gelu_tanh(matmul(x, v[i]));
          const Var loss = mean(square(x));
          backward_begins = loss.graph().size();
          return gradients(loss, {v.begin() + 1, v.end()});
        },
        inputs);
  }
  [[nodiscard]] Program program(Passes passes) const {
    passes.backward_begins = backward_begins;
    return Program(trace->graph, trace->inputs, trace->outputs, passes);
  }
};

TEST(StoredTypes, NeedLittleMoreThanHalfTheMemory) {
  const Deep deep;
  const Passes wide_passes{.recompute = Recompute::arithmetic};
  Passes narrow_passes = wide_passes;
  narrow_passes.precision = Precision::bf16;
  const Program narrow = deep.program(narrow_passes), wide = deep.program(wide_passes);
  EXPECT_LT(static_cast<double>(narrow.value_bytes()), 0.75 * static_cast<double>(wide.value_bytes()));
  EXPECT_LT(static_cast<double>(narrow.arena_bytes()), 0.8 * static_cast<double>(wide.arena_bytes()));
  EXPECT_LT(narrow.bytes_moved(), wide.bytes_moved());
  const std::string text = narrow.explain();
  EXPECT_NE(text.find("-> bf16 (256, 64)"), std::string::npos) << text;
  EXPECT_NE(text.find(fmt::format("{} values are stored in bf16", narrow.bf16_values())), std::string::npos) << text;
  EXPECT_EQ(wide.explain().find("bf16"), std::string::npos);
}

TEST(StoredTypes, RecomputedValuesAreRoundedAgain) {
  const Deep deep;
  const auto wanted = deep.trace->run(deep.inputs, in_bf16);
  for (const Recompute recompute : {Recompute::arithmetic, Recompute::cheap}) {
    const auto got = deep.trace->run(
        deep.inputs, {.recompute = recompute, .backward_begins = deep.backward_begins, .precision = Precision::bf16});
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(identical(got[i], wanted[i])) << i;
  }
}

std::string refusal(const Traced& f, const std::vector<Tensor>& x) {
  try {
    (void)evaluate(f, x, in_bf16);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(StoredTypes, UnsupportedProductsAreRefused) {
  const std::string wide = refusal([](const Vars& v) { return Vars{matmul(v[0], v[1])}; },
                                   {random_normal({4, 5}, 1, f64), random_normal({5, 6}, 2, f64)});
  EXPECT_NE(wide.find("f64"), std::string::npos) << wide;
}

}  // namespace
}  // namespace thalweg
