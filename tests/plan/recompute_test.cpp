// Plans with less memory: cheap values are computed again in the backward pass, with the same bits.

#include <gtest/gtest.h>

#include "evaluate.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

constexpr int layers = 12;
constexpr std::int64_t width = 48, rows = 64;

std::vector<Tensor> inputs_of_deep_network() {
  std::vector<Tensor> inputs = {random_normal({rows, width}, 1)};
  for (int i = 0; i < layers; ++i) {
    inputs.push_back(random_uniform({width, width}, -0.3, 0.3, static_cast<std::uint64_t>(2 * i + 2)));
    inputs.push_back(random_uniform({width}, -0.1, 0.1, static_cast<std::uint64_t>(2 * i + 3)));
  }
  return inputs;
}

/// The gradients of a deep network, and the node where its backward pass begins.
struct Deep {
  int backward_begins = 0;
  Trace trace;
  explicit Deep(bool residual)
      : trace(
            [this, residual](const std::vector<Var>& v) {
              Var x = v[0];
              for (std::size_t i = 1; i < v.size(); i += 2) {
                const Var y = gelu(matmul(x, v[i]) + v[i + 1]);
                x = residual ? x + y : y;
              }
              const Var loss = mean(square(x));
              backward_begins = loss.graph().size();
              return gradients(loss, {v.begin() + 1, v.end()});
            },
            inputs_of_deep_network()) {}
};

TEST(Recompute, HalvesTheMemoryOfADeepNetwork) {
  const Deep deep(false);
  const Program fast(deep.trace.graph, deep.trace.inputs, deep.trace.outputs);
  const Program lean(deep.trace.graph, deep.trace.inputs, deep.trace.outputs,
                     {.recompute = Recompute::cheap, .backward_begins = deep.backward_begins});
  EXPECT_LE(lean.value_bytes(), 0.6 * static_cast<double>(fast.value_bytes()));
  EXPECT_LE(lean.operations(), 1.34 * static_cast<double>(fast.operations()));
}

TEST(Recompute, GivesTheSameBits) {
  for (bool residual : {false, true}) {
    const Deep deep(residual);
    const auto inputs = inputs_of_deep_network();
    const auto wanted = deep.trace.run(inputs);
    for (bool others : {false, true}) {
      for (Recompute recompute : {Recompute::arithmetic, Recompute::cheap}) {
        const auto found =
            deep.trace.run(inputs, {others, others, others, others, others, false, recompute, deep.backward_begins});
        for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(same_bits(found[i], wanted[i])) << "gradient " << i;
      }
    }
  }
}

TEST(Recompute, KeepsAlongChainOfResidualsInReach) {
  const Deep deep(true);
  const Program fast(deep.trace.graph, deep.trace.inputs, deep.trace.outputs);
  const Program lean(deep.trace.graph, deep.trace.inputs, deep.trace.outputs,
                     {.recompute = Recompute::cheap, .backward_begins = deep.backward_begins});
  EXPECT_LT(lean.value_bytes(), 0.8 * static_cast<double>(fast.value_bytes()));
}

}  // namespace
}  // namespace thalweg
