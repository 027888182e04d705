// TrainStep: one step of a user's own loop; and how many rows a shard has by default.

#include "core/error.hpp"
#include "engine/engine.hpp"

namespace thalweg {

std::int64_t default_shard_size(std::int64_t batch_size, std::int64_t parameters) {
  constexpr std::int64_t large_model = 4'000'000, least_work = 2'000'000;
  std::int64_t shards = parameters > large_model ? 2 : 4;
  // forward and backward take about 3 multiplications a parameter and sample
  while (shards > 1 && (batch_size / shards) * 3 * parameters < least_work) shards /= 2;
  return std::max<std::int64_t>(1, (batch_size + shards - 1) / shards);
}

struct TrainStep::Impl {
  Engine engine;
};

TrainStep::TrainStep(Objective objective, Optimizer optimizer, int threads)
    : impl_(new Impl{{[objective = std::move(objective)](Scope s, const Batch& b) {
                        return Evaluated{objective(s, b), {}};
                      },
                      std::move(optimizer), threads}}) {}
TrainStep::~TrainStep() = default;
TrainStep::TrainStep(TrainStep&&) noexcept = default;
TrainStep& TrainStep::operator=(TrainStep&&) noexcept = default;

State TrainStep::init(const Dataset& first_batch, std::uint64_t seed, DType dtype) {
  return impl_->engine.init(first_batch, seed, dtype);
}

StepReport TrainStep::operator()(State& state, const Dataset& batch, const Progress& progress,
                                 std::int64_t shard_size) {
  if (!state.layout) fail<UsageError>("[train_step] an empty state. Hint: auto state = step.init(batch, seed).");
  Progress here = progress;
  if (here.step == 0 && here.total == 1) here.step = state.step;  // a loop of the user's own has no horizon
  return impl_->engine.step(state, {batch}, here, shard_size);
}

}  // namespace thalweg
