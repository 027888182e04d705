#include "engine/updater.hpp"

#include <algorithm>

namespace thalweg {

bool Updater::prepare(State& state) {
  const bool anew = layout_ != state.layout;
  if (anew) {
    update_ = make_update(optimizer_, *state.layout);
    calls_ = {};
    arena_ = Block(update_->program->arena_bytes());
    layout_ = state.layout;
    scalars_.assign(update_->scalars.size(), 0);
  }
  const auto fits = [](const auto& slot, const UpdateSlot& wanted) {
    return slot.first == wanted.name && slot.second.size() == wanted.size && slot.second.dtype() == wanted.dtype;
  };
  if (!std::ranges::equal(state.slots, update_->slots, fits)) state.slots = initial_slots(*update_);
  return anew;
}

void Updater::run(State& state, std::byte* gradient, const StepNumbers& numbers, Workers& workers) {
  fill_scalars(*update_, numbers, scalars_);
  bases_.clear();
  for (std::byte* base : {state.parameters.mutable_raw(), gradient, reinterpret_cast<std::byte*>(scalars_.data())})
    bases_.push_back(base);
  for (auto& [name, slot] : state.slots) bases_.push_back(slot.mutable_raw());
  update_->program->run(bases_, arena_.data(), workers, calls_);
}

}  // namespace thalweg
