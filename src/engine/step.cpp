// TrainStep: one step of a user's own loop.

#include "core/error.hpp"
#include "engine/engine.hpp"

namespace thalweg {

struct TrainStep::Impl {
  Engine engine;
};

namespace {

std::vector<EngineObjective> only(ObjectiveRow row) {
  std::vector<EngineObjective> one;
  const auto evaluated = [loss = std::move(row.loss)](Scope s, const Batch& b) { return Evaluated{loss(s, b), {}}; };
  one.push_back({std::move(row.name), evaluated, std::move(row.optimizer), std::move(row.options)});
  return one;
}

}  // namespace

TrainStep::TrainStep(Objective objective, Optimizer optimizer, int threads)
    : TrainStep(ObjectiveRow{"", std::move(objective), std::move(optimizer)}, threads) {}
TrainStep::TrainStep(ObjectiveRow objective, int threads)
    : impl_(new Impl{{only(std::move(objective)), std::make_shared<Crew>(threads)}}) {}
TrainStep::~TrainStep() = default;
TrainStep::TrainStep(TrainStep&&) noexcept = default;
TrainStep& TrainStep::operator=(TrainStep&&) noexcept = default;

State TrainStep::init(const Dataset& first_batch, std::uint64_t seed, DType dtype) {
  return impl_->engine.init(first_batch, seed, dtype);
}

StepReport TrainStep::operator()(State& state, const Dataset& batch, const Progress& progress,
                                 std::int64_t shard_size) {
  if (!state.layout) fail<UsageError>("[train_step] an empty state. Hint: auto state = step.init(batch, seed).");
  return impl_->engine.step(state, {batch}, progress, shard_size);
}

}  // namespace thalweg
