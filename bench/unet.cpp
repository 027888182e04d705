// One training step of a U-Net without normalisation and with group normalisation; the difference is the cost of the
// normalisation. Two levels, the first of 32 channels; 8 images of 64 x 64; Adam. peers/unet.py does the same in
// PyTorch.

#include <benchmark/benchmark.h>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

void unet(benchmark::State& bench, const std::string& norm) {
  constexpr std::int64_t rows = 8, side = 64;
  tw::Dataset batch;
  batch.set("input", tw::random_normal({rows, side, side, 3}, 1));
  batch.set("target", tw::random_normal({rows, side, side, 1}, 2));
  const tw::ModelFunction model = tw::nn::unet(side * side, {.width = 32, .norm = norm});
  auto step =
      tw::train_step(tw::objective_of(model, tw::loss::mse), tw::optim::adam(), static_cast<int>(bench.range(0)));
  tw::State state = step.init(batch, 1);
  for (auto _ : bench) benchmark::DoNotOptimize(step(state, batch).loss);
}

BENCHMARK_CAPTURE(unet, none, "none")->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(unet, group, "group")->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
