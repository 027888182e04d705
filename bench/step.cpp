// Whole training steps: forward, backward, update. Times are of one step; threads are the argument.

#include <benchmark/benchmark.h>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

tw::Tensor labels(std::int64_t rows, int classes) {
  return tw::random_uniform({rows}, 0, classes, 2, tw::f64).to(tw::i32);
}

void run(benchmark::State& bench, const tw::Objective& objective, const tw::Optimizer& optimizer,
         const tw::Dataset& batch) {
  auto step = tw::train_step(objective, optimizer, static_cast<int>(bench.range(0)));
  tw::State state = step.init(batch, 1);
  for (auto _ : bench) benchmark::DoNotOptimize(step(state, batch).loss);
  bench.SetItemsProcessed(bench.iterations() * batch.rows());
}

/// Logistic regression of 57 inputs, batch 32, Adam.
void logistic(benchmark::State& bench) {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({32, 57}, 1));
  batch.set("target", labels(32, 2).to(tw::f32).reshape({32, 1}));
  run(bench, tw::objective_of(tw::nn::linear(1), tw::loss::binary_cross_entropy), tw::optim::adam(), batch);
}

/// MLP 784-256-128-10, batch 64, Adam.
void mlp(benchmark::State& bench) {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({64, 784}, 1));
  batch.set("target", labels(64, 10));
  run(bench, tw::objective_of(tw::nn::mlp(10, {.hidden = {256, 128}}), tw::loss::cross_entropy), tw::optim::adam(),
      batch);
}

BENCHMARK(logistic)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(mlp)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
