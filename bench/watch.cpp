// The cost of `[insight]`: whole trainings of a network for digits with `[insight] every = "1 epoch"` and without.
// Times are of a whole training. `looks` is the fraction of it that the looks took, `taken` is the number of looks.

#include <benchmark/benchmark.h>

#include "insight/run_watch.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

tw::Dataset digits(std::int64_t rows) {
  tw::Dataset data;
  data.set("input", tw::random_normal({rows, 784}, 1));
  data.set("target", tw::random_uniform({rows}, 0, 10, 2, tw::f64).to(tw::i32));
  return data;
}

void train(benchmark::State& bench, bool looked_at, bool largest) {
  const tw::Dataset data = digits(20000);
  const tw::ModelFunction model = tw::nn::mlp(10, {.hidden = {256, 128}});
  const int threads = static_cast<int>(bench.range(0));
  double seconds = 0, all = 0, taken = 0;
  for (auto _ : bench) {
    tw::Trainer trainer(model, tw::loss::cross_entropy, tw::optim::adamw({.lr = 1e-3}), threads);
    tw::FitOptions fit{.epochs = 8, .batch_size = 128};
    std::optional<tw::RunWatch> watch;
    if (looked_at) {
      watch.emplace(tw::evaluation_of(model, tw::loss::cross_entropy), data, fit,
                    tw::WatchOptions{.every = "1 epoch", .largest = largest}, threads);
      fit.on_step = [&](const tw::StepReport& step) {
        if (watch->after(step, trainer.state())) ++taken;
      };
    }
    all += trainer.fit(data, fit).seconds;
    if (watch) seconds += watch->seconds();
  }
  bench.counters["looks"] = seconds / all;
  bench.counters["taken"] = taken / static_cast<double>(bench.iterations());
}

void off(benchmark::State& bench) { train(bench, false, false); }
void on(benchmark::State& bench) { train(bench, true, false); }
void with_largest(benchmark::State& bench) { train(bench, true, true); }

BENCHMARK(off)->Name("watch/off")->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(on)->Name("watch/on")->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(with_largest)->Name("watch/largest")->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
