// Random expressions, with their gradients: no pass, number of threads or sharing of places changes a bit, and the
// interpreter agrees.

#include <gtest/gtest.h>

#include <random>

#include "evaluate.hpp"
#include "interpreter.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

/// Grows a pool of Vars by ops drawn at random; what does not fit is drawn again.
class RandomGraph {
 public:
  RandomGraph(std::uint64_t seed, Vars inputs, Var rows) : random_(seed), pool_(std::move(inputs)), rows_(rows) {}

  void grow(int ops) {
    for (int tries = 0; ops > 0 && tries < 1000; ++tries) {
      try {
        const Var y = drawn();
        if (y.size() > 3000 || y.rank() > 4) continue;
        pool_.push_back(y);
        --ops;
      } catch (const UsageError&) {
      }
    }
  }

  /// A bounded scalar of what was made last.
  Var loss() {
    Var total = mean(tanh(pool_.back()));
    for (std::size_t i = pool_.size() - std::min<std::size_t>(pool_.size(), 4); i < pool_.size(); ++i) {
      total = total + mean(sin(pool_[i]));
    }
    return total;
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  Var any() { return pool_[below(pool_.size())]; }
  [[nodiscard]] const Vars& pool() const { return pool_; }

 private:
  Var drawn() {
    switch (below(5)) {
      case 0: return unary(any());
      case 1: return binary(any(), any());
      case 2: return reduction(any());
      case 3: return view(any());
      default: return below(2) ? binary(any(), any()) : special(any(), any());
    }
  }

  Var unary(Var x) {
    switch (below(12)) {
      case 0: return tanh(x);
      case 1: return sin(x);
      case 2: return sigmoid(x);
      case 3: return exp(-square(x));
      case 4: return relu(x);
      case 5: return abs(x);
      case 6: return softplus(x);
      case 7: return -x;
      case 8: return gelu(tanh(x));
      case 9: return sqrt(square(x) + 0.5);
      case 10: return elu(clamp(x, -1, 1));
      default: return 0.9 * x + 0.1;
    }
  }

  Var binary(Var a, Var b) {
    switch (below(9)) {
      case 0: return a + b;
      case 1: return a - b;
      case 2: return tanh(a) * b;
      case 3: return a / (1 + square(b));
      case 4: return maximum(a, b);
      case 5: return where(a < b, a, 0.5 * b);
      case 6: return 0.9 * a + 0.1 * square(tanh(b));
      case 7: return a * sigmoid(b) + b * sigmoid(a);
      default: return a * 0.3 - b * 0.7;
    }
  }

  Var reduction(Var x) {
    const Axes axes = below(3) == 0 ? Axes() : Axes(static_cast<int>(below(static_cast<std::uint64_t>(x.rank()) + 1)));
    const Keep keep = below(2) ? Keep::yes : Keep::no;
    switch (below(5)) {
      case 0: return mean(x, axes, keep);
      case 1: return max(x, axes, keep);
      case 2: return logsumexp(x, axes, keep);
      case 3: return variance(tanh(x), axes, keep);
      default: return sum(sin(x), axes, keep);
    }
  }

  Var view(Var x) {
    const int axis = static_cast<int>(below(static_cast<std::uint64_t>(std::max(1, x.rank()))));
    const std::int64_t n = x.dim(axis);
    switch (below(7)) {
      case 0: return transpose(x);
      case 1:
        return slice(x, static_cast<std::int64_t>(below(static_cast<std::uint64_t>(n))), n, axis,
                     1 + static_cast<std::int64_t>(below(3)));
      case 2: return reshape(x, {x.size()});
      case 3: return reshape(x, {x.size() / 2, 2});
      case 4: return expand_dims(x, axis);
      case 5: return broadcast_to(x, {static_cast<std::int64_t>(below(3)) + 1, x.dim(-2), x.dim(-1)});
      default:
        return pad(x, std::vector<std::pair<std::int64_t, std::int64_t>>(static_cast<std::size_t>(x.rank()), {1, 0}),
                   0.5);
    }
  }

  Var special(Var a, Var b) {
    switch (below(6)) {
      case 0: return 0.2 * matmul(a, b, below(2) != 0, below(2) != 0);
      case 1: return softmax(a);
      case 2: return 0.2 * cumsum(a, 0);
      case 3: return concat({a, b}, 0);
      case 4: return a.rank() > 0 && a.dim(0) >= 3 ? gather(a, rows_) : a;
      default: return cross_entropy_with_probabilities(a, softmax(b));
    }
  }

  std::mt19937_64 random_;
  Vars pool_;
  Var rows_;
};

std::vector<Tensor> inputs_of(DType dtype, std::uint64_t seed, std::int64_t rows, std::int64_t columns) {
  return {
      random_uniform({rows, columns}, -1, 1, seed, dtype),     random_uniform({columns}, -1, 1, seed + 1, dtype),
      random_uniform({rows, 1}, -1, 1, seed + 2, dtype),       random_uniform({columns, rows}, -1, 1, seed + 3, dtype),
      random_uniform({rows, columns}, -1, 1, seed + 4, dtype), random_uniform({5}, 0, 3, seed, f64).to(i32)};
}

Traced random_function(std::uint64_t seed, int ops) {
  return [=](const Vars& x) {
    const Vars real(x.begin(), x.end() - 1);
    RandomGraph random(seed, real, x.back());
    random.grow(ops);
    const Var loss = random.loss();
    Vars outputs = gradients(loss, real);
    outputs.push_back(loss);
    for (int i = 0; i < 3; ++i) outputs.push_back(random.any());
    return outputs;
  };
}

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

TEST(RandomGraphs, AreWhatTheInterpreterSays) {
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

/// Runs with each output in the place of the input of its number.
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

/// The outputs of several runs in the same memory, with what the program keeps from one to the next.
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

TEST(RandomGraphs, CallsThatAreKeptChangeNoBit) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    for (DType dtype : {f32, f64}) {
      const std::int64_t columns = seed % 10 == 0 ? 700 : 6;  // more than a tile, and much less
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
