#include "graph/samples.hpp"

#include <gtest/gtest.h>

#include "graph/graph.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

/// Along which axis the samples of a batch lie in f(x, w, y) for x (6, 4), w (4, 3) and y (6), or whether f mixes them.
template <class F>
SampleAxis samples_of(const F& f) {
  Graph graph;
  const Var x = graph.input("x", {6, 4}, f32), w = graph.input("w", {4, 3}, f32), y = graph.input("y", {6}, i32);
  const Var columns[] = {x, y};
  return samples_in(graph, f(x, w, y), columns, 6);
}

TEST(Samples, ALayerKeepsThemApart) {
  EXPECT_EQ(samples_of([](Var x, Var w, Var) { return relu(matmul(x, w) + 1); }), SampleAxis::along(0));
  EXPECT_EQ(samples_of([](Var x, Var w, Var) { return matmul(w, x, true, true); }), SampleAxis::along(1));
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return reshape(x, {6, 2, 2}); }), SampleAxis::along(0));
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return reshape(x, {24}); }), SampleAxis::along(0));
  EXPECT_EQ(samples_of([](Var x, Var, Var) {
              return transpose(reshape(x, {6, 2, 2}), {2, 0, 1});
            }),
            SampleAxis::along(1));
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return slice(x, 1, 3, 1); }), SampleAxis::along(0));
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return softmax(x); }), SampleAxis::along(0));
}

TEST(Samples, ALossIsASumOverThem) {
  EXPECT_EQ(samples_of([](Var x, Var w, Var y) { return sum(cross_entropy_with_labels(matmul(x, w), y)); }),
            SampleAxis::summed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return 2 * sum(square(x)) / 3 + sum(x); }), SampleAxis::summed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return sum(mean(x, 1)); }), SampleAxis::summed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return sum(matmul(x, x, true, false)); }), SampleAxis::summed());
}

TEST(Samples, OpsThatMixThemAreDetected) {
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return softmax(x, 0); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return x - mean(x, 0); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return max(x); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return square(sum(x)); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var w, Var) { return sum(x) + sum(w); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return matmul(x, x, false, true); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return slice(x, 0, 3); }), SampleAxis::mixed());
  EXPECT_EQ(samples_of([](Var x, Var, Var) { return cumsum(x, 0); }), SampleAxis::mixed());
}

}  // namespace
}  // namespace thalweg
