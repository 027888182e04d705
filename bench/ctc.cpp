// The loss of connectionist temporal classification (CTC) and its gradient with respect to the logits, for batches of a
// speech recogniser that outputs letters or word pieces. peers/ctc.py does the same in PyTorch.

#include <benchmark/benchmark.h>

#include <memory>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

struct Sizes {
  std::int64_t batch, time, classes, labels;
};

void ctc(benchmark::State& bench, const Sizes& sizes) {
  const auto [batch, time, classes, most] = sizes;
  tw::Tensor labels({batch, most}, tw::i32), frames({batch}, tw::i32), lengths({batch}, tw::i32);
  for (std::int64_t i = 0; i < labels.size(); ++i) labels.set(i, static_cast<double>(1 + 7 * i % (classes - 1)));
  for (std::int64_t i = 0; i < batch; ++i) {
    frames.set(i, static_cast<double>(time - i % 8));
    lengths.set(i, static_cast<double>(most - i % 8));
  }
  const tw::Apply gradient(
      [](tw::Scope, const tw::Batch& b) {
        const tw::Var loss = tw::ctc_loss(b["logits"], b["labels"], b["frames"], b["lengths"]);
        return tw::NamedVars{{"loss", loss}, {"gradient", tw::gradients(tw::sum(loss), {b["logits"]})[0]}};
      },
      static_cast<int>(bench.range(0)));
  tw::State none;
  none.layout = std::make_shared<const tw::Layout>();
  none.parameters = tw::Tensor({0});
  const tw::NamedTensors inputs = {{"logits", tw::random_normal({batch, time, classes}, 1)},
                                   {"labels", labels},
                                   {"frames", frames},
                                   {"lengths", lengths}};
  for (auto _ : bench) benchmark::DoNotOptimize(gradient.all(none, inputs));
}

BENCHMARK_CAPTURE(ctc, letters, Sizes{16, 200, 29, 40})->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(ctc, pieces, Sizes{16, 400, 500, 60})->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
