// Measures the cost of a step: its parts run separately, several times, on the batch and the threads of training.

#include <algorithm>
#include <array>
#include <chrono>

#include "core/error.hpp"
#include "engine/engine.hpp"
#include "kernels/peak.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

constexpr std::size_t repetitions = 9;

/// The median time of f, which runs once before it is timed; a short f runs many times in each timing.
template <class F>
double median_seconds(const F& f) {
  using Clock = std::chrono::steady_clock;
  constexpr double long_enough = 1e-4;
  const auto seconds_of = [&](std::int64_t times) {
    const auto begin = Clock::now();
    for (std::int64_t i = 0; i < times; ++i) f();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  f();
  const auto times = static_cast<std::int64_t>(std::clamp(long_enough / std::max(1e-9, seconds_of(1)), 1.0, 1e4));
  std::array<double, repetitions> seconds{};
  for (double& taken : seconds) taken = seconds_of(times) / static_cast<double>(times);
  std::ranges::nth_element(seconds, seconds.begin() + repetitions / 2);
  return seconds[repetitions / 2];
}

}  // namespace

StepCost Engine::measure(const State& given, const Dataset& batch, std::int64_t shard_size) {
  if (owns_steps(optimizer(0))) {
    fail<UsageError>(
        "[measure] a step of {} evaluates the loss as often as it needs. Wanted: an optimizer with one gradient a "
        "step. Hint: measure the time of a run.",
        optimizer(0).name);
  }
  if (far_)
    fail<UsageError>("[measure] the step runs on another device. Wanted: this CPU, where its parts are measured");
  const FlushDenormals flush;
  State state = given;
  Workers& workers = crew_->workers;
  BlockPool& pool = crew_->pool;
  if (objectives_.front().declared.empty()) (void)trace(batch, Mode::train, state.layout->dtype);
  prepare(state);
  const Layout& layout = *state.layout;
  const RowSelection rows{batch};
  const BatchPrograms programs = programs_.for_batch(state, step_, rows, shard_size);
  const ShardProgram& both = *programs.whole;
  const std::int64_t size = both.rows();
  const auto forward = programs_.make(size, batch, layout, step_, false);

  StepCost cost;
  cost.shards = (batch.rows() + size - 1) / size;
  cost.threads = workers.threads();
  cost.arena_bytes = both.program().value_bytes();
  cost.intermediate_bytes = both.program().value_bytes_without_reuse();
  cost.peak = peak_operations(workers);

  const std::int64_t whole_shards = batch.rows() / size;  // a smaller last shard costs its share of a whole one
  const double share = static_cast<double>(batch.rows()) / static_cast<double>(size * whole_shards);
  const auto all_of = [&](std::int64_t a_shard) {
    return static_cast<std::int64_t>(static_cast<double>(a_shard * whole_shards) * share);
  };
  cost.forward = {0, all_of(forward->program().operations()), all_of(forward->program().bytes_moved())};
  cost.backward = {0, all_of(both.program().operations()) - cost.forward.operations,
                   all_of(both.program().bytes_moved()) - cost.forward.bytes};
  for (const Member& o : objectives_) {
    cost.update.operations += o.updater.program().program->operations();
    cost.update.bytes += o.updater.program().program->bytes_moved();
  }

  const std::size_t block = TreeSum::block_bytes(step_.size, layout.dtype, both.doubles());
  const auto run_forward = [&] {
    workers.run(whole_shards, [&](std::int64_t i) {
      const auto sums = pool.take(block), memory = pool.take(forward->memory_bytes());
      forward->run({state, rows, i * size, sums.data(), reinterpret_cast<double*>(sums.data())}, memory.data(),
                   workers);
    });
  };
  OneShard alone;
  const bool is_alone = size == batch.rows() && OneShard::is_for(*forward, step_, layout.dtype);
  cost.forward.seconds = is_alone ? median_seconds([&] { alone.run(*forward, step_, state, rows, workers); })
                                  : share * median_seconds(run_forward);
  const double both_seconds = median_seconds([&] { give_back(sum_over_shards(state, rows, programs)); });
  cost.backward.seconds = std::max(0.0, both_seconds - cost.forward.seconds);
  Sums sums = sum_over_shards(state, rows, programs);
  cost.update.seconds = median_seconds([&] {
    for (std::size_t i = 0; i < this->size(); ++i) {
      (void)objectives_[i].norm->of(gradient_of(i, sums, state), workers);
      update(i, state, sums, sums.weight(i), 1, optimizer(i).lr, {});
    }
  });
  give_back(std::move(sums));
  return cost;
}

}  // namespace thalweg
