#include "engine/updater.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace thalweg {

namespace {

/// The slot that counts steps left out, in front where a rule may leave one out, else behind the others once there is
/// something to count.
constexpr std::string_view skipped_slot = "skipped";

}  // namespace

bool Updater::slots_fit(const std::vector<std::pair<std::string, Tensor>>& slots) const {
  const auto fits = [](const auto& slot, const UpdateSlot& wanted) {
    return slot.first == wanted.name && slot.second.size() == wanted.size && slot.second.dtype() == wanted.dtype;
  };
  const std::size_t own = update_->slots.size();
  if (slots.size() < own || !std::equal(update_->slots.begin(), update_->slots.end(), slots.begin(),
                                        [&](const UpdateSlot& wanted, const auto& slot) { return fits(slot, wanted); }))
    return false;
  if (slots.size() == own) return true;
  return !update_->skips && slots.size() == own + 1 && fits(slots.back(), {std::string(skipped_slot), 0, 1, f64});
}

void Updater::skip(State& state) const {
  if (!update_->skips && state.slots.size() == update_->slots.size())
    state.slots.emplace_back(skipped_slot, zeros({1}, f64));
  Tensor& count = (update_->skips ? state.slots.front() : state.slots.back()).second;
  count.set(0, count.at(0) + 1);
}

std::int64_t Updater::skipped(const State& state) const {
  const bool counted = !update_->skips && state.slots.size() > update_->slots.size();
  return counted ? static_cast<std::int64_t>(state.slots.back().second.at(0)) : 0;
}

void Updater::prepare(State& state) {
  if (layout_ != state.layout) {
    update_ = make_update(optimizer_, *state.layout);
    calls_ = {};
    arena_ = Block(update_->program->arena_bytes());
    layout_ = state.layout;
    scalars_.assign(update_->scalars.size(), 0);
  }
  if (slots_fit(state.slots)) return;
  if (!state.slots.empty()) {
    const auto names = [](const auto& slots, const auto& name) {
      std::vector<std::string> all;
      for (const auto& slot : slots) all.push_back(name(slot));
      return all.empty() ? "none" : fmt::format("{}", fmt::join(all, ", "));
    };
    fail<UsageError>(
        "[train] the state's slots ({}) are of another optimizer or model; this one keeps {}. Hint: "
        "state.slots.clear() begins with new ones.",
        names(state.slots, [](const auto& slot) { return slot.first + " " + slot.second.shape().str(); }),
        names(update_->slots, [](const UpdateSlot& slot) { return fmt::format("{} ({})", slot.name, slot.size); }));
  }
  state.slots = initial_slots(*update_);
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
