// One training step of a small CNN: convolutions of 32 and 64 filters of 3 x 3, each with batch normalisation, relu and
// pooling by 2, then dense 128, on 64 images of 28 x 28, Adam. And of the ResNet of examples/resnet.toml, batch 128.
// peers/cnn.py does the same in PyTorch. Times are of one step; the argument is the number of threads.

#include <benchmark/benchmark.h>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

void run(benchmark::State& bench, const tw::ModelFunction& model, const tw::Optimizer& optimizer, std::int64_t rows) {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({rows, 28, 28, 1}, 1));
  batch.set("target", tw::random_uniform({rows}, 0, 10, 2, tw::f64).to(tw::i32));
  auto step =
      tw::train_step(tw::objective_of(model, tw::loss::cross_entropy), optimizer, static_cast<int>(bench.range(0)));
  tw::State state = step.init(batch, 1);
  for (auto _ : bench) benchmark::DoNotOptimize(step(state, batch).loss);
  bench.SetItemsProcessed(bench.iterations() * batch.rows());
}

void cnn(benchmark::State& bench) { run(bench, tw::nn::convnet(10), tw::optim::adam(), 64); }

void resnet(benchmark::State& bench) {
  run(bench, tw::nn::resnet(10, {.blocks = {1, 1, 1}, .width = 32}), tw::optim::sgd({.lr = 0.1, .momentum = 0.9}), 128);
}

BENCHMARK(cnn)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(resnet)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
