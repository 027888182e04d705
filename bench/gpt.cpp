// One training step of a GPT, AdamW, clipping: the small one with 6 layers, width 256, 8 heads, 128 tokens, batch 8,
// vocabulary 256; the large one with 12 layers, width 768, 12 heads, 64 tokens, batch 4, vocabulary 50257.
// peers/gpt.py does the same in PyTorch. Times are of one step; the argument is the number of threads. The counter is
// the peak of the process's memory less its peak at the start.

#include <benchmark/benchmark.h>

#include "peak.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

const double at_start = peak_megabytes();

void run(benchmark::State& bench, std::int64_t vocabulary, std::int64_t rows, const tw::nn::GptOptions& options) {
  const std::int64_t time = options.context;
  const tw::Tensor text =
      tw::random_uniform({rows, time + 1}, 0, static_cast<double>(vocabulary), 3, tw::f64).to(tw::i32);
  tw::Tensor input({rows, time}, tw::i32), target({rows, time}, tw::i32);
  for (std::int64_t i = 0; i < input.size(); ++i) {
    input.set(i, text.at(i / time * (time + 1) + i % time));
    target.set(i, text.at(i / time * (time + 1) + i % time + 1));
  }
  tw::Dataset batch;
  batch.set("input", input);
  batch.set("target", target);
  auto step = tw::train_step(tw::objective_of(tw::nn::gpt(vocabulary, options), tw::loss::cross_entropy),
                             tw::optim::adamw({.lr = 1e-3, .clip_norm = 1}), static_cast<int>(bench.range(0)));
  tw::State state = step.init(batch, 1);
  for (int warm = 0; warm < 2; ++warm) benchmark::DoNotOptimize(step(state, batch).loss);
  for (auto _ : bench) benchmark::DoNotOptimize(step(state, batch).loss);
  bench.SetItemsProcessed(bench.iterations() * rows * time);
  bench.counters["peak_MB"] = peak_megabytes() - at_start;
}

void gpt(benchmark::State& bench) { run(bench, 256, 8, {.layers = 6, .width = 256, .heads = 8, .context = 128}); }
void gpt_large(benchmark::State& bench) {
  run(bench, 50'257, 4, {.layers = 12, .width = 768, .heads = 12, .context = 64});
}

BENCHMARK(gpt)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
// The number of iterations is fixed: to find one, the library would set up the model several times.
BENCHMARK(gpt_large)->Arg(2)->Iterations(5)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
