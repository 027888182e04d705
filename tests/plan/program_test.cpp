// The planner's guarantees: numbers of instructions, memory, no allocation in a run, and inputs and outputs that
// overlap.

#include <gtest/gtest.h>

#include "allocations.hpp"
#include "evaluate.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

Tensor numbers(const Shape& shape, std::uint64_t seed = 1, DType dtype = f32) {
  return random_uniform(shape, -1, 1, seed, dtype);
}

std::size_t instructions(const Traced& f, const std::vector<Tensor>& inputs, Passes passes = {}) {
  const Trace trace(f, inputs);
  return Program(trace.graph, trace.inputs, trace.outputs, passes).instructions();
}

TEST(Program, ElementwiseFunctionsAreOneInstruction) {
  const Tensor x = numbers({64, 30});
  EXPECT_EQ(instructions([](const Vars& v) { return Vars{gelu(v[0])}; }, {x}), 1U);
  EXPECT_EQ(instructions([](const Vars& v) { return Vars{gelu_tanh(v[0])}; }, {x}), 1U);
  EXPECT_EQ(instructions([](const Vars& v) { return gradients(sum(gelu(v[0])), {v[0]}); }, {x}), 1U);
  EXPECT_EQ(instructions([](const Vars& v) { return Vars{sum(square(v[0] - 1))}; }, {x}), 1U);
  EXPECT_EQ(instructions([](const Vars& v) { return Vars{sum(v[0]), max(v[0]), exp(v[0])}; }, {x}), 3U);
  EXPECT_EQ(
      instructions([](const Vars& v) { return Vars{tanh(v[0] * v[1] + v[2])}; }, {x, numbers({30}), numbers({64, 1})}),
      1U);
}

TEST(Program, AProductOfOneTermIsElementwise) {
  const auto outer = [](bool ta, bool tb) {
    return [=](const Vars& v) { return Vars{matmul(v[0], v[1], ta, tb) + 1}; };
  };
  for (const DType dtype : {f32, f64}) {
    const Tensor column = numbers({64, 1}, 1, dtype), row = numbers({1, 30}, 2, dtype);
    const Tensor tall = numbers({30, 1}, 2, dtype), flat = numbers({1, 64}, 1, dtype);
    EXPECT_EQ(instructions(outer(false, false), {column, row}), 1U);
    for (const auto& [f, inputs] : {std::pair(outer(false, false), std::vector{column, row}),
                                    std::pair(outer(true, false), std::vector{flat, row}),
                                    std::pair(outer(false, true), std::vector{column, tall}),
                                    std::pair(outer(true, true), std::vector{flat, tall})}) {
      const Tensor product = evaluate(f, inputs)[0];
      for (std::int64_t i = 0; i < 64; ++i) {
        for (std::int64_t j = 0; j < 30; ++j)
          EXPECT_NEAR(product.at(30 * i + j), inputs[0].at(i) * inputs[1].at(j) + 1, 1e-6);
      }
    }
  }
}

TEST(Program, AnIntermediateValueThatIsAnInputIsNotComputed) {
  Graph graph;
  const Var x = graph.input("x", {3}, f32), middle = exp(x);
  const Program program(graph, {{middle, {first_user_base, 0}}}, {{middle * 2 + 1, {first_user_base + 1, 0}}});
  Tensor given = numbers({3}), result({3});
  std::byte* bases[] = {given.mutable_raw(), result.mutable_raw()};
  Workers workers(1);
  Block arena(program.arena_bytes());
  program.run(bases, arena.data(), workers);  // x is not bound, because it is not needed
  for (std::int64_t i = 0; i < 3; ++i)
    EXPECT_FLOAT_EQ(static_cast<float>(result.at(i)), 2 * static_cast<float>(given.at(i)) + 1);
}

TEST(Program, CachedCallsFollowMovedMemory) {
  Graph graph;
  const Var x = graph.input("x", {3}, f32);
  const Program program(graph, {{x, {first_user_base, 0}}}, {{exp(x) * x + 1, {first_user_base + 1, 0}}});
  Program::Calls known;
  Workers workers(1);
  for (int round = 0; round < 3; ++round) {  // all addresses change in each round
    Tensor in = numbers({3}, static_cast<std::uint64_t>(round)), out({3}), wanted({3});
    const Block arena(program.arena_bytes()), other(program.arena_bytes());
    const std::vector<std::byte*> bases = {in.mutable_raw(), out.mutable_raw()};
    const std::vector<std::byte*> same = {in.mutable_raw(), wanted.mutable_raw()};
    program.run(bases, arena.data(), workers, known);
    program.run(same, other.data(), workers);
    EXPECT_TRUE(identical(out, wanted)) << "round " << round;
  }
}

TEST(Program, CachedCallsReadValuesThatChangedInPlace) {
  Graph graph;
  const Var x = graph.input("x", {6, 5}, f32), row = graph.input("row", {5}, f32), n = graph.input("n", {}, f64);
  const Var scaled = x * cast(n, f32) + row;
  const Vars results = {tanh(scaled), sum(scaled), cast(n, f32) + transpose(x), broadcast_to(cast(n, f32), {3})};
  std::vector<Bound> inputs = {
      {x, {first_user_base, 0}}, {row, {first_user_base + 1, 0}}, {n, {first_user_base + 2, 0}}};
  std::vector<Bound> outputs;
  for (const Var& y : results) outputs.push_back({y, {first_user_base + 3 + static_cast<int>(outputs.size()), 0}});
  Workers workers(1);
  for (const bool compile : {true, false}) {
    const Program program(graph, inputs, outputs, {.compile = compile});
    std::vector<Tensor> values = {numbers({6, 5}), numbers({5}, 2), full({}, 1, f64)}, wanted;
    for (const Var& y : results) values.emplace_back(y.shape(), y.dtype());
    std::vector<std::byte*> bases, plain;
    for (Tensor& value : values) bases.push_back(value.mutable_raw());
    for (const Var& y : results) wanted.emplace_back(y.shape(), y.dtype());
    plain.assign(bases.begin(), bases.begin() + 3);
    for (Tensor& value : wanted) plain.push_back(value.mutable_raw());
    const Block arena(program.arena_bytes()), other(program.arena_bytes());
    Program::Calls known;
    for (int round = 0; round < 5; ++round) {
      values[0].set(3, round);
      values[1].set(round, 7);
      values[2].set(0, 0.5 * round);
      program.run(bases, arena.data(), workers, known);
      program.run(plain, other.data(), workers);
      for (std::size_t i = 0; i < results.size(); ++i)
        EXPECT_TRUE(identical(values[3 + i], wanted[i])) << "round " << round << ", output " << i;
    }
  }
}

TEST(Program, CallsOnEmptyTensorsDoNothing) {
  Graph graph;
  const Var x = graph.input("x", {3, 4}, f32);
  const Var none = slice(x, 1, 1, 0), column = slice(x, 0, 0, 1);
  const Vars results = {exp(none) * 2 + tanh(none), concat({none, x + 1}, 0), sum(sin(column), 1),
                        matmul(slice(x, 0, 1, 1), reshape(none, {1, 0})), mean(x)};
  std::vector<Bound> outputs;
  for (const Var& y : results) outputs.push_back({y, {first_user_base + 1 + static_cast<int>(outputs.size()), 0}});
  const Program program(graph, {{x, {first_user_base, 0}}}, outputs);
  std::vector<Tensor> values = {numbers({3, 4})};
  for (const Var& y : results) values.emplace_back(y.shape(), y.dtype());
  std::vector<std::byte*> bases;
  for (Tensor& value : values) bases.push_back(value.mutable_raw());
  const Block arena(program.arena_bytes());
  Workers workers(1);
  Program::Calls known;
  for (int round = 0; round < 3; ++round) program.run(bases, arena.data(), workers, known);
  EXPECT_EQ(values[2].at(0), values[0].at(0) + 1);
  EXPECT_EQ(values[3].at(2), 0.0);
}

TEST(Program, ViewsCostNothing) {
  const Tensor x = numbers({64, 30});
  EXPECT_EQ(instructions([](const Vars& v) { return Vars{transpose(slice(v[0], 0, 64, 0, 2)) + 1}; }, {x}), 1U);
  EXPECT_EQ(instructions(
                [](const Vars& v) {
                  return Vars{matmul(reshape(v[0], {32, 60}), reshape(v[0], {60, 32}))};
                },
                {x}),
            1U);
}

TEST(Program, GradientOfSoftmaxCrossEntropyIsFewInstructions) {
  const auto f = [](const Vars& v) { return gradients(mean(cross_entropy_with_labels(v[0], v[1])), {v[0]}); };
  // logsumexp, the scalars 1/n and -1/n, and one pass over the logits
  EXPECT_EQ(instructions(f, {numbers({64, 10}), random_uniform({64}, 0, 10, 1, f64).to(i32)}), 4U);
}

Vars adam(const Vars& v) {
  const Var x = v[0], g = v[1], step = v[4];
  const Var m = 0.9 * v[2] + 0.1 * g, u = 0.999 * v[3] + 0.001 * square(g);
  return {x - step * m / (sqrt(u) + 1e-8), g, m, u};
}

TEST(Program, AnAdamUpdateIsOneInstructionInPlace) {
  const std::vector<Tensor> inputs{numbers({3000}), numbers({3000}, 2), numbers({3000}, 3), full({3000}, 0.5),
                                   full({}, 0.01)};
  const Trace trace([](const Vars& v) { return adam(v); }, inputs);
  std::vector<Bound> outputs;
  for (std::size_t i : {0, 2, 3}) outputs.push_back({trace.outputs[i].var, trace.inputs[i].place});
  const Program program(trace.graph, trace.inputs, outputs);
  EXPECT_EQ(program.instructions(), 1U);
  EXPECT_LT(program.arena_bytes(), 256U);  // only the pointers of the call
}

Vars mlp(const Vars& v) {
  const Var h1 = relu(matmul(v[0], v[1]) + v[2]), h2 = relu(matmul(h1, v[3]) + v[4]);
  return gradients(mean(square(matmul(h2, v[5]))), {v[1], v[2], v[3], v[4], v[5]});
}

std::vector<Tensor> mlp_inputs() {
  return {numbers({32, 20}), numbers({20, 40}), numbers({40}), numbers({40, 40}), numbers({40}), numbers({40, 1})};
}

TEST(Program, TheArenaIsSmallerThanAllIntermediatesTogether) {
  const auto inputs = mlp_inputs();
  const Trace trace(mlp, inputs);
  const Program reused(trace.graph, trace.inputs, trace.outputs);
  const Program apart(trace.graph, trace.inputs, trace.outputs, {.reuse = false});
  EXPECT_LT(reused.arena_bytes() * 3, apart.arena_bytes() * 2);
  EXPECT_NE(reused.explain().find("matmul"), std::string::npos);
}

TEST(Program, ARunAllocatesNothing) {
  const Traced everything = [](const Vars& v) {
    Vars outputs = mlp(v);
    const Var x = v[0];
    outputs.push_back(softmax(x));
    outputs.push_back(logsumexp(transpose(x), 0));
    outputs.push_back(cumsum(x));
    outputs.push_back(gather(v[1], argmax(x)));
    outputs.push_back(concat({x, pad(x, {{1, 0}, {0, 0}})}));
    outputs.push_back(sum(gelu(v[3]), 0));
    return outputs;
  };
  for (int threads : {1, 3}) {
    const auto inputs = mlp_inputs();
    const Trace trace(everything, inputs);
    const Program program(trace.graph, trace.inputs, trace.outputs);
    std::vector<Tensor> values = inputs;
    for (const Bound& y : trace.outputs) values.emplace_back(y.var.shape(), y.var.dtype());
    std::vector<std::byte*> bases;
    for (Tensor& value : values) bases.push_back(value.mutable_raw());
    const Block arena(program.arena_bytes());
    Workers workers(threads);
    program.run(bases, arena.data(), workers);  // the lists of the workers grow in the first run
    const long before = testing::allocations();
    for (int i = 0; i < 20; ++i) program.run(bases, arena.data(), workers);
    EXPECT_EQ(testing::allocations(), before) << threads << " threads";
  }
}

TEST(Program, TwoInputsCanBeSwapped) {
  for (const Passes& passes : {Passes{}, Passes{false, false, false, false, false}}) {
    Tensor x = numbers({700}), y = numbers({700}, 2);
    const Tensor x0 = x, y0 = y;
    const Trace trace([](const Vars& v) { return Vars{v[1], v[0]}; }, {x, y});
    const Program program(trace.graph, trace.inputs, {{trace.outputs[0].var, {2, 0}}, {trace.outputs[1].var, {3, 0}}},
                          passes);
    std::byte* bases[] = {x.mutable_raw(), y.mutable_raw()};
    const Block arena(program.arena_bytes());
    Workers alone(1);
    program.run(bases, arena.data(), alone);
    EXPECT_TRUE(identical(x, y0));
    EXPECT_TRUE(identical(y, x0));
  }
}

TEST(Program, AnOutputMayCoverSeveralInputs) {
  Tensor both = numbers({6, 100});
  const Tensor before = both;
  Graph graph;
  const Var a = graph.input("a", {3, 100}, f32), b = graph.input("b", {3, 100}, f32);
  const std::vector<Bound> inputs{{a, {2, 0}}, {b, {2, 1200}}};
  const Program program(graph, inputs, {{concat({b * 2, a}), {2, 0}}});
  std::byte* bases[] = {both.mutable_raw()};
  const Block arena(program.arena_bytes());
  Workers alone(1);
  program.run(bases, arena.data(), alone);
  for (std::int64_t i = 0; i < 300; ++i) {
    ASSERT_EQ(both.at(i), 2 * before.at(300 + i));
    ASSERT_EQ(both.at(300 + i), before.at(i));
  }
}

TEST(Program, AReversedInputMayBeItsOwnOutput) {
  Tensor x = numbers({30, 30});
  const Tensor before = x;
  const Trace trace([](const Vars& v) { return Vars{transpose(v[0]) + v[0]}; }, {x});
  const Program program(trace.graph, trace.inputs, {{trace.outputs[0].var, {2, 0}}});
  std::byte* bases[] = {x.mutable_raw()};
  const Block arena(program.arena_bytes());
  Workers alone(1);
  program.run(bases, arena.data(), alone);
  for (int i = 0; i < 30; ++i) {
    for (int j = 0; j < 30; ++j)
      ASSERT_EQ(x.at(i * 30 + j),
                static_cast<float>(before.at(j * 30 + i)) + static_cast<float>(before.at(i * 30 + j)));
  }
}

TEST(Program, GroupsWithManyViewsAndNumbersFitIntoTheRegisters) {
  const Traced permutations = [](const Vars& v) {
    std::vector<int> order{0, 1, 2, 3};
    Var product = v[0];
    do {
      product = product * (transpose(v[0], order) + 2);
    } while (std::next_permutation(order.begin(), order.end()));
    return Vars{product};
  };
  const Traced scalars = [](const Vars& v) {
    const Shape shape{50};
    Vars terms;
    for (std::size_t i = 0; i < v.size(); ++i) {
      for (std::size_t j = 0; j < v.size(); ++j) {
        const Var a = broadcast_to(v[i], shape), b = broadcast_to(v[j], shape);
        for (const Var& t : {minimum(a, b), a / b, a < b, equal(a, b), pow(square(a), b)}) terms.push_back(t);
      }
    }
    while (terms.size() > 2) {
      Vars chosen;
      for (std::size_t i = 0; i + 2 < terms.size(); i += 3)
        chosen.push_back(where(terms[i], terms[i + 1], terms[i + 2]));
      terms = chosen;
    }
    return Vars{terms[0]};
  };
  const std::vector<Tensor> four{numbers({3, 3, 3, 3})}, five{numbers({}, 1), numbers({}, 2), numbers({}, 3)};
  for (const auto& [f, inputs] : {std::pair{permutations, four}, {scalars, five}}) {
    EXPECT_TRUE(same_bits(evaluate(f, inputs)[0], evaluate(f, inputs, {false, false, false, false, false})[0]));
  }
}

TEST(Program, LargeProductsHaveTheSameBitsWithAnyNumberOfThreads) {
  const std::pair<Shape, Shape> sizes[] = {{{700, 300}, {300, 410}},         {{96, 900}, {900, 700}},
                                           {{40, 128, 128}, {40, 128, 128}}, {{5000, 33}, {33, 129}},
                                           {{64, 100}, {100, 1024}},         {{2, 260, 300}, {2, 300, 512}}};
  for (const auto& [a, b] : sizes) {
    const std::vector<Tensor> inputs{numbers(a), numbers(b, 2)};
    const Traced f = [](const Vars& v) {
      const Var y = matmul(v[0], v[1]);
      Vars outputs = gradients(sum(sin(y)), {v[0], v[1]});
      outputs.push_back(y);
      return outputs;
    };
    const Trace trace(f, inputs);
    const auto wanted = trace.run(inputs, {}, 1);
    for (int threads : {2, 3, 4}) {
      const auto got = trace.run(inputs, {}, threads);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(identical(got[i], wanted[i])) << a.str() << " " << threads;
    }
  }
}

TEST(Program, AnUnboundInputIsRefused) {
  Graph graph;
  const Var x = graph.input("speed", {2}, f32);
  try {
    const Program program(graph, {}, {{x + 1, {2, 0}}});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("speed"), std::string::npos);
  }
}

}  // namespace
}  // namespace thalweg
