// Less memory by recomputation: a step of a deep model with each value of `memory`. "keep" keeps all values that the
// backward pass reads, "fast" is the default, "lean" recomputes the most. Times are of one step with two threads. The
// counters are megabytes per shard: of the arena, and of the same values if no two of them shared memory.

#include <benchmark/benchmark.h>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

struct Case {
  tw::ModelFunction model;
  tw::Dataset batch;
  std::int64_t shard_size;
};

Case resnet() {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({64, 28, 28, 1}, 1));
  batch.set("target", tw::random_uniform({64}, 0, 10, 2, tw::f64).to(tw::i32));
  return {tw::nn::resnet(10, {.blocks = {3, 3, 3}, .width = 16}), batch, 32};
}

Case gpt() {
  tw::Dataset batch;
  const auto tokens = [](std::uint64_t seed) {
    return tw::random_uniform({8, 128}, 0, 256, seed, tw::f64).to(tw::i32);
  };
  batch.set("input", tokens(1));
  batch.set("target", tokens(2));
  return {tw::nn::gpt(256, {.layers = 6, .width = 256, .heads = 8, .context = 128}), batch, 4};
}

Case mlp() {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({1024, 256}, 1));
  batch.set("target", tw::random_uniform({1024}, 0, 10, 2, tw::f64).to(tw::i32));
  return {tw::nn::mlp(10, {.hidden = std::vector<std::int64_t>(30, 256), .activation = "gelu", .norm = "layer"}), batch,
          512};
}

void memory(benchmark::State& bench, Case (*make)(), tw::Memory kept) {
  const Case one = make();
  tw::Trainer trainer(one.model, tw::loss::cross_entropy, tw::optim::adamw(), 2);
  trainer.init(one.batch, 1);
  for (auto _ : bench) {
    const tw::StepCost cost = trainer.measure(one.batch, {.shard_size = one.shard_size, .memory = kept});
    bench.SetIterationTime(cost.forward.seconds + cost.backward.seconds + cost.update.seconds);
    bench.counters["arena_MB"] = static_cast<double>(cost.arena_bytes) / 1e6;
    bench.counters["intermediates_MB"] = static_cast<double>(cost.intermediate_bytes) / 1e6;
  }
}

const bool registered = [] {
  const std::pair<const char*, Case (*)()> models[] = {{"resnet", resnet}, {"gpt", gpt}, {"mlp", mlp}};
  const std::pair<const char*, tw::Memory> memories[] = {
      {"keep", tw::Memory::keep}, {"fast", tw::Memory::fast}, {"lean", tw::Memory::lean}};
  for (const auto& [model, make] : models) {
    for (const auto& [name, kept] : memories) {
      const auto name_of_both = std::string("memory/") + model + "/" + name;
      benchmark::RegisterBenchmark(name_of_both.c_str(), memory, make, kept)
          ->UseManualTime()
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
