// One training step of a small GPT: 6 layers, width 256, 8 heads, 128 tokens, batch 8, vocabulary 256, AdamW, clipping.
// The same in PyTorch: peers/gpt.py. Times are of one step; threads are the argument. The counter is the peak of the
// process's memory.

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

void gpt(benchmark::State& bench) {
  const tw::Tensor text = tw::random_uniform({8, 129}, 0, 256, 3, tw::f64).to(tw::i32);
  tw::Tensor input({8, 128}, tw::i32), target({8, 128}, tw::i32);
  for (std::int64_t i = 0; i < input.size(); ++i) {
    input.set(i, text.at(i / 128 * 129 + i % 128));
    target.set(i, text.at(i / 128 * 129 + i % 128 + 1));
  }
  tw::Dataset batch;
  batch.set("input", input);
  batch.set("target", target);
  const auto model = tw::nn::gpt(256, {.layers = 6, .width = 256, .heads = 8, .context = 128});
  auto step = tw::train_step(tw::objective_of(model, tw::loss::cross_entropy),
                             tw::optim::adamw({.lr = 1e-3, .clip_norm = 1}), static_cast<int>(bench.range(0)));
  tw::State state = step.init(batch, 1);
  for (auto _ : bench) benchmark::DoNotOptimize(step(state, batch).loss);
  bench.SetItemsProcessed(bench.iterations() * batch.rows() * 128);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  bench.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

BENCHMARK(gpt)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
