// Whole training steps: forward, backward, update. Times are of one step; the first argument is the number of threads.

#include <benchmark/benchmark.h>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

tw::Tensor labels(std::int64_t rows, int classes) {
  return tw::random_uniform({rows}, 0, classes, 2, tw::f64).to(tw::i32);
}

tw::Dataset digits(std::int64_t rows) {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({rows, 784}, 1));
  batch.set("target", labels(rows, 10));
  return batch;
}

void run(benchmark::State& bench, const tw::Objective& objective, const tw::Optimizer& optimizer,
         const tw::Dataset& batch) {
  auto step = tw::train_step(objective, optimizer, static_cast<int>(bench.range(0)));
  tw::State state = step.init(batch, 1);
  for (int warm = 0; warm < 2; ++warm) (void)step(state, batch);  // plans the program, binds its calls
  for (auto _ : bench) benchmark::DoNotOptimize(step(state, batch).loss);
  bench.SetItemsProcessed(bench.iterations() * batch.rows());
}

/// The rows of a logistic regression: 4601 rows of 57 inputs, shuffled every epoch. An iteration is one step.
tw::Dataset spam() {
  tw::Dataset data;
  data.set("input", tw::random_normal({4601, 57}, 1));
  data.set("target", labels(4601, 2).to(tw::f32).reshape({4601, 1}));
  return data;
}
void logistic(benchmark::State& bench, const tw::Optimizer& optimizer, std::int64_t batch_size) {
  const tw::Dataset data = spam();
  tw::Trainer trainer(tw::nn::linear(1), tw::loss::binary_cross_entropy, optimizer, 1);
  trainer.init(data, 1);
  tw::FitOptions options;
  options.batch_size = batch_size;
  options.steps = bench.max_iterations + 1;  // the first, which plans the program, starts the clock
  options.on_step = [&](const tw::StepReport&) { bench.KeepRunning(); };
  (void)trainer.fit(data, options);
}

void logistic_adam(benchmark::State& bench) { logistic(bench, tw::optim::adam(), 32); }
void logistic_sgd(benchmark::State& bench) { logistic(bench, tw::optim::sgd({.lr = 1e-2}), 1); }

/// The parts of such a step, in microseconds. They leave out the choice and the copy of the rows, and the reports.
void logistic_parts(benchmark::State& bench, const tw::Optimizer& optimizer, std::int64_t batch_size) {
  tw::Trainer trainer(tw::nn::linear(1), tw::loss::binary_cross_entropy, optimizer, 1);
  const tw::Dataset batch = spam().slice(0, batch_size);
  for (auto _ : bench) {
    const tw::StepCost cost = trainer.measure(batch);
    bench.SetIterationTime(cost.forward.seconds + cost.backward.seconds + cost.update.seconds);
    bench.counters["forward"] = 1e6 * cost.forward.seconds;
    bench.counters["backward"] = 1e6 * cost.backward.seconds;
    bench.counters["update"] = 1e6 * cost.update.seconds;
  }
}
void logistic_adam_parts(benchmark::State& bench) { logistic_parts(bench, tw::optim::adam(), 32); }
void logistic_sgd_parts(benchmark::State& bench) { logistic_parts(bench, tw::optim::sgd({.lr = 1e-2}), 1); }

/// MLP 784-256-128-10, Adam; the second argument is the batch size.
void mlp(benchmark::State& bench) {
  run(bench, tw::objective_of(tw::nn::mlp(10, {.hidden = {256, 128}}), tw::loss::cross_entropy), tw::optim::adam(),
      digits(bench.range(1)));
}

/// Only the forward and the backward pass of this MLP.
void mlp_gradient(benchmark::State& bench) {
  const tw::Dataset batch = digits(64);
  tw::Trainer trainer(tw::nn::mlp(10, {.hidden = {256, 128}}), tw::loss::cross_entropy, tw::optim::adam(),
                      static_cast<int>(bench.range(0)));
  trainer.init(batch, 1);
  for (auto _ : bench) {
    const tw::StepCost cost = trainer.measure(batch);  // gives medians
    bench.SetIterationTime(cost.forward.seconds + cost.backward.seconds);
  }
}

/// An MLP with one hidden layer, whose width is the second argument.
void width(benchmark::State& bench) {
  const auto model = tw::nn::mlp(10, {.hidden = {bench.range(1)}});
  run(bench, tw::objective_of(model, tw::loss::cross_entropy), tw::optim::adam(), digits(64));
}

/// Only the update of Muon, for the matrices of a GPT; the second argument is its number of layers.
void muon(benchmark::State& bench) {
  tw::Dataset batch;
  for (const char* column : {"input", "target"})
    batch.set(column, tw::random_uniform({1, 16}, 0, 256, 1, tw::f64).to(tw::i32));
  const auto model = tw::nn::gpt(256, {.layers = bench.range(1), .width = 256, .heads = 8, .context = 16});
  tw::Trainer trainer(model, tw::loss::cross_entropy, tw::optim::muon(), static_cast<int>(bench.range(0)));
  trainer.init(batch, 1);
  for (auto _ : bench) bench.SetIterationTime(trainer.measure(batch).update.seconds);
}

BENCHMARK(logistic_adam)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(logistic_sgd)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(logistic_adam_parts)->UseManualTime()->Iterations(5)->Unit(benchmark::kMicrosecond);
BENCHMARK(logistic_sgd_parts)->UseManualTime()->Iterations(5)->Unit(benchmark::kMicrosecond);
BENCHMARK(mlp)->ArgsProduct({{1, 2}, {64}})->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(mlp_gradient)->Arg(2)->UseManualTime()->Iterations(5)->Unit(benchmark::kMicrosecond);
BENCHMARK(mlp)
    ->Name("scaling/batch")
    ->ArgsProduct({{1, 2}, {1, 16, 64, 256, 4096}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(width)
    ->Name("scaling/width")
    ->ArgsProduct({{1, 2}, {1, 128, 12'600, 126'000}})
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(muon)
    ->Name("scaling/muon")
    ->ArgsProduct({{1, 2}, {6}})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
