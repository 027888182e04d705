// Random graphs with their gradients: the passes, the number of threads and outputs in the place of inputs change no
// bit, and the interpreter agrees.

#include <gtest/gtest.h>

#include "evaluate.hpp"
#include "interpreter.hpp"
#include "random_graph.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

TEST(RandomGraphs, NoPassChangesABit) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    for (DType dtype : {f32, f64}) {
      const auto inputs = inputs_of(dtype, seed, 3 + static_cast<std::int64_t>(seed % 3), 6);
      const Trace trace(random_function(seed, 5 + static_cast<int>(seed % 30)), inputs);
      const auto wanted = trace.run(inputs);
      for (const Passes& passes :
           {Passes{.simplify = false}, Passes{.fuse = false}, Passes{.order = false}, Passes{.reuse = false},
            Passes{.compile = false}, Passes{false, false, false, false, false}}) {
        const auto got = trace.run(inputs, passes);
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_TRUE(same_bits(got[i], wanted[i])) << "seed " << seed << ", output " << i << ", passes "
                                                    << passes.simplify << passes.fuse << passes.order << passes.reuse;
        }
      }
    }
  }
}

TEST(RandomGraphs, AgreeWithTheInterpreter) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto inputs = inputs_of(f64, seed, 3 + static_cast<std::int64_t>(seed % 3), 6);
    const Trace trace(random_function(seed, 5 + static_cast<int>(seed % 30)), inputs);
    const Interpreter wanted(trace.graph, inputs);
    const auto got = trace.run(inputs);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_LE(distance(got[i], wanted.value(trace.outputs[i].var)), 1e-10) << "seed " << seed << ", output " << i;
    }
  }
}

TEST(RandomGraphs, ThreadsDoNotChangeABit) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const auto inputs = inputs_of(f32, seed, 301, 257);
    const Traced f = [&](const Vars& x) {
      const Var a = tanh(x[0] * x[1]) + x[2], b = matmul(a, x[3]), c = softmax(b * 0.1 + sum(square(a), 1, Keep::yes));
      const Var loss = mean(square(matmul(c, x[4]) - a)) + mean(max(b, 0));
      Vars outputs = gradients(loss, Vars(x.begin(), x.end() - 1));
      outputs.push_back(loss);
      return outputs;
    };
    const Trace trace(f, inputs);
    const auto wanted = trace.run(inputs, {}, 1);
    for (int threads : {2, 3, 4}) {
      const auto got = trace.run(inputs, {}, threads);
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_TRUE(identical(got[i], wanted[i])) << threads << " threads, " << i;
    }
  }
}

/// Runs with each output in the memory of the input with the same index.
std::vector<Tensor> run_in_place(const Trace& trace, const std::vector<Tensor>& inputs, Passes passes) {
  std::vector<Bound> outputs = trace.outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].place = trace.inputs[i].place;
  const Program program(trace.graph, trace.inputs, outputs, passes);
  std::vector<Tensor> values = inputs;
  std::vector<std::byte*> bases;
  for (Tensor& x : values) bases.push_back(x.mutable_raw());
  const Block arena(program.arena_bytes());
  Workers alone(1);
  program.run(bases, arena.data(), alone);
  values.resize(outputs.size());
  return values;
}

TEST(RandomGraphs, OutputsMayTakeThePlacesOfInputs) {
  const ChosenDevice here(this_cpu());  // the places are this host's
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const DType dtype = seed % 2 ? f32 : f64;
    std::vector<Tensor> inputs;
    for (std::uint64_t i = 0; i < 4; ++i) inputs.push_back(random_uniform({4, 6}, -1, 1, 5 * seed + i, dtype));
    inputs.push_back(random_uniform({5}, 0, 3, seed, f64).to(i32));
    const Traced f = [&](const Vars& x) {
      RandomGraph random(seed, Vars(x.begin(), x.end() - 1), x.back());
      random.grow(3 + static_cast<int>(seed % 20));
      Vars fitting, outputs;
      for (const Var& v : random.pool()) {
        if (v.shape() == x[0].shape()) fitting.push_back(v);
      }
      for (int i = 0; i < 4; ++i) outputs.push_back(fitting[random.below(fitting.size())]);
      return outputs;
    };
    const Trace trace(f, inputs);
    const auto wanted = trace.run(inputs);
    for (const Passes& passes : {Passes{}, Passes{.fuse = false}, Passes{.order = false}, Passes{.reuse = false},
                                 Passes{.compile = false}, Passes{false, false, false, false, false}}) {
      const auto got = run_in_place(trace, inputs, passes);
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_TRUE(same_bits(got[i], wanted[i])) << "seed " << seed << ", output " << i << ", fuse " << passes.fuse;
      }
    }
  }
}

/// The outputs of several runs in the same memory, with the calls that the program caches from run to run.
std::vector<std::vector<Tensor>> run_again(const Trace& trace, const std::vector<Tensor>& inputs, Passes passes) {
  const Program program(trace.graph, trace.inputs, trace.outputs, passes);
  std::vector<Tensor> values = inputs;
  for (const Bound& output : trace.outputs) values.emplace_back(output.var.shape(), output.var.dtype());
  std::vector<std::byte*> bases;
  for (Tensor& x : values) bases.push_back(x.mutable_raw());
  const Block arena(program.arena_bytes());
  Workers alone(1);
  Program::Calls known;
  std::vector<std::vector<Tensor>> results;
  for (int round = 0; round < 4; ++round) {
    for (std::size_t i = inputs.size(); i < values.size(); ++i) std::memset(bases[i], 0xa5, values[i].bytes());
    std::memset(arena.data(), 0xa5, arena.size());
    program.run(bases, arena.data(), alone, known);
    std::vector<Tensor> outputs;
    for (std::size_t i = inputs.size(); i < values.size(); ++i) {
      outputs.emplace_back(values[i].shape(), values[i].dtype());
      std::memcpy(outputs.back().mutable_raw(), bases[i], values[i].bytes());
    }
    results.push_back(std::move(outputs));
  }
  return results;
}

TEST(RandomGraphs, CachedCallsChangeNoBit) {
  const ChosenDevice here(this_cpu());
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    for (DType dtype : {f32, f64}) {
      const std::int64_t columns = seed % 10 == 0 ? 700 : 6;  // more than a tile, or much less
      const auto inputs = inputs_of(dtype, seed, 3 + static_cast<std::int64_t>(seed % 3), columns);
      const Trace trace(random_function(seed, 5 + static_cast<int>(seed % 30)), inputs);
      const auto wanted = trace.run(inputs);
      for (const Passes& passes : {Passes{}, Passes{.fuse = false}, Passes{.compile = false}}) {
        const auto rounds = run_again(trace, inputs, passes);
        for (std::size_t round = 0; round < rounds.size(); ++round) {
          for (std::size_t i = 0; i < wanted.size(); ++i) {
            ASSERT_TRUE(same_bits(rounds[round][i], wanted[i]))
                << "seed " << seed << ", output " << i << ", round " << round << ", fuse " << passes.fuse;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace thalweg
