#pragma once
// Random graphs for tests of the planner and of gradients: a seed decides which ops are drawn.

#include <random>
#include <utility>
#include <vector>

#include "evaluate.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

using Vars = std::vector<Var>;

enum class Functions { all, arithmetic };  ///< which ops are drawn

/// Grows a pool of Vars by ops drawn at random. An op that its operands' shapes do not allow is drawn again.
class RandomGraph {
 public:
  RandomGraph(std::uint64_t seed, Vars inputs, Var rows, Functions functions = Functions::all)
      : random_(seed), pool_(std::move(inputs)), rows_(rows), functions_(functions) {}

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

  /// A bounded scalar that depends on the last Vars.
  Var loss() {
    Var total = mean(bounded(pool_.back()));
    for (std::size_t i = pool_.size() - std::min<std::size_t>(pool_.size(), 4); i < pool_.size(); ++i) {
      total = total + mean(functions_ == Functions::all ? sin(pool_[i]) : bounded(pool_[i]));
    }
    return total;
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  Var any() { return pool_[below(pool_.size())]; }
  [[nodiscard]] const Vars& pool() const { return pool_; }

 private:
  Var bounded(Var x) { return functions_ == Functions::all ? tanh(x) : clamp(x, -1, 1) * 0.75; }

  Var drawn() {
    if (functions_ == Functions::arithmetic) return plain();
    switch (below(5)) {
      case 0: return unary(any());
      case 1: return binary(any(), any());
      case 2: return reduction(any());
      case 3: return view(any());
      default: return below(2) ? binary(any(), any()) : special(any(), any());
    }
  }

  /// Arithmetic, selections, sums and views only.
  Var plain() {
    const Var x = any(), y = any();
    switch (below(10)) {
      case 0: return x + y;
      case 1: return x - 0.5 * y;
      case 2: return clamp(x, -1, 1) * y;
      case 3: return x / (1 + square(y));
      case 4: return maximum(x, minimum(y, 0.25));
      case 5: return where(x < y, relu(x), abs(y));
      case 6: return sqrt(square(x) + 0.5);
      case 7: return 0.1 * sum(x, Axes(static_cast<int>(below(static_cast<std::uint64_t>(x.rank()) + 1))), Keep::yes);
      case 8: return max(x, Axes(static_cast<int>(below(static_cast<std::uint64_t>(x.rank()) + 1))), Keep::no);
      default: return view(x);
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
  Functions functions_;
};

inline std::vector<Tensor> inputs_of(DType dtype, std::uint64_t seed, std::int64_t rows, std::int64_t columns) {
  return {
      random_uniform({rows, columns}, -1, 1, seed, dtype),     random_uniform({columns}, -1, 1, seed + 1, dtype),
      random_uniform({rows, 1}, -1, 1, seed + 2, dtype),       random_uniform({columns, rows}, -1, 1, seed + 3, dtype),
      random_uniform({rows, columns}, -1, 1, seed + 4, dtype), random_uniform({5}, 0, 3, seed, f64).to(i32)};
}

inline Traced random_function(std::uint64_t seed, int ops, Functions functions = Functions::all) {
  return [=](const Vars& x) {
    const Vars real(x.begin(), x.end() - 1);
    RandomGraph random(seed, real, x.back(), functions);
    random.grow(ops);
    const Var loss = random.loss();
    Vars outputs = gradients(loss, real);
    outputs.push_back(loss);
    for (int i = 0; i < 3; ++i) outputs.push_back(random.any());
    return outputs;
  };
}

}  // namespace thalweg
