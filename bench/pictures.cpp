// A step of the systems that generate pictures, as examples/gan.toml and examples/diffusion.toml train them: batches of
// 64 pictures of 28 x 28, Adam. A step of the GAN is one step of each objective. peers/pictures.py does the same in
// PyTorch.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

constexpr std::int64_t batch_size = 64, steps = 8, side = 28;

tw::Dataset noise_images() {
  const tw::Shape shape{batch_size * steps, side, side, 1};
  const tw::Tensor noise = tw::random_uniform(shape, 0, 255, 1);
  tw::Tensor pixels(shape, tw::u8), labels({shape[0]}, tw::i32);
  for (std::int64_t i = 0; i < noise.size(); ++i) pixels.set(i, std::floor(noise.at(i)));
  for (std::int64_t i = 0; i < shape[0]; ++i) labels.set(i, static_cast<double>(i % 10));
  tw::Dataset data;
  data.set("input", pixels);
  data.set("target", labels);
  return data;
}

/// The mean time of a step over an epoch. The epoch before it, which plans the step, is not timed.
void system_step(benchmark::State& bench, const char* name, const tw::OptionMap& options, tw::Optimizer optimizer) {
  const int threads = static_cast<int>(bench.range(0));
  const tw::Dataset data = noise_images();
  tw::SystemData of{.input = {side, side, 1}, .dtype = tw::u8, .threads = threads};
  for (int i = 0; i < 10; ++i) of.classes.push_back(std::to_string(i));
  const tw::Registry registry;
  const tw::System system = registry.system(name).make(of, options);
  std::vector<tw::ObjectiveRow> objectives;
  for (const tw::SystemObjective& o : system.objectives) objectives.push_back({o.name, o.loss, optimizer, o.options});
  tw::Trainer trainer(std::move(objectives), {.threads = threads});
  const tw::FitOptions epoch{.epochs = 1, .batch_size = batch_size};
  (void)trainer.fit(data, epoch);
  for (auto _ : bench) {
    const auto begin = std::chrono::steady_clock::now();
    (void)trainer.fit(data, epoch);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    bench.SetIterationTime(seconds.count() / static_cast<double>(steps));
  }
}

const tw::OptionMap gan = {{"code", 64}, {"width", 32}}, diffusion = {{"width", 16}, {"levels", 2}};

BENCHMARK_CAPTURE(system_step, gan, "gan", gan, tw::optim::adam({.lr = 2e-4, .beta1 = 0.5}))
    ->Arg(2)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(system_step, diffusion, "diffusion", diffusion, tw::optim::adam({.lr = 2e-3}))
    ->Arg(2)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
