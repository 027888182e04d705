#include "engine/updater.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "engine/objective_names.hpp"

namespace thalweg {

namespace {

using NamedSlot = std::pair<std::string, Tensor>;

/// The slot that counts skipped steps: before the other slots if a rule may skip a step, otherwise after them, as soon
/// as there is a step to count.
constexpr std::string_view skipped_slot = "skipped";

bool is_like(const NamedSlot& slot, const std::string& prefix, const UpdateSlot& wanted) {
  const auto& [name, values] = slot;
  return name.size() == prefix.size() + wanted.name.size() && name.starts_with(prefix) && name.ends_with(wanted.name) &&
         values.size() == wanted.size && values.dtype() == wanted.dtype;
}

UpdateSlot count_of(std::string_view name) { return {std::string(name), 0, 1, f64}; }

}  // namespace

Updater::Own Updater::own_in(const State& state) const {
  const auto is_mine = [&](const NamedSlot& slot) { return prefix_of_slot(slot.first) == prefix_; };
  const auto begin = std::ranges::find_if(state.slots, is_mine);
  const auto end = std::find_if_not(begin, state.slots.end(), is_mine);
  Own own;
  own.begin = static_cast<std::size_t>(begin - state.slots.begin());
  own.count = static_cast<std::size_t>(end - begin);
  own.program = own.begin + (counts() ? 1 : 0);
  return own;
}

bool Updater::fit(const State& state, const Own& own) const {
  if (own.count < wanted()) return false;
  if (counts() && !is_like(state.slots[own.begin], prefix_, count_of(steps_slot))) return false;
  for (std::size_t i = 0; i < update_->slots.size(); ++i) {
    if (!is_like(state.slots[own.program + i], prefix_, update_->slots[i])) return false;
  }
  if (own.count == wanted()) return true;
  return !update_->skips && own.count == wanted() + 1 &&
         is_like(state.slots[own.end() - 1], prefix_, count_of(skipped_slot));
}

void Updater::refuse(const State& state, const Own& own) const {
  std::vector<std::string> found, needed;
  for (std::size_t i = own.begin; i < own.end(); ++i)
    found.push_back(state.slots[i].first + " " + state.slots[i].second.shape().str());
  if (counts()) needed.push_back(fmt::format("{}{} (1)", prefix_, steps_slot));
  for (const UpdateSlot& slot : update_->slots)
    needed.push_back(fmt::format("{}{} ({})", prefix_, slot.name, slot.size));
  fail<UsageError>(
      "[train] the state's slots ({}) are of another optimizer or model; this one keeps {}. Hint: "
      "state.slots.clear() begins with new ones; steps with names of their own keep theirs side by side.",
      fmt::join(found, ", "), needed.empty() ? "none" : fmt::format("{}", fmt::join(needed, ", ")));
}

void Updater::prepare(State& state, const Layout& trained, int threads, std::span<const FactoredLayer> layers,
                      Device* far) {
  if (layout_ != state.layout) {
    update_ = make_update(optimizer_, trained, {}, averages_, layers, far ? *far : this_cpu());
    const int lanes = update_->program ? update_->program->lanes(threads) : 1;
    calls_ = Program::Calls(lanes);
    far_ = far;
    arena_ = Block(update_->program ? update_->program->arena_bytes(lanes) : 0, far);
    layout_ = state.layout;
    scalars_.assign(update_->scalars.size(), 0);
    filled_with_.reset();
    bases_.assign(UpdateBases::first_slot - first_user_base + update_->slots.size(), nullptr);
    if (far) scalars_there_ = Block(scalars_.size() * sizeof(double), far);
  }
  own_ = own_in(state);
  slots_ = state.slots;
  if (fit(state, own_)) return;
  if (own_.count > 0) refuse(state, own_);
  if (counts()) state.slots.emplace_back(prefix_ + std::string(steps_slot), zeros({1}, f64));
  for (auto& [name, values] : initial_slots(*update_)) state.slots.emplace_back(prefix_ + name, std::move(values));
  own_ = own_in(state);
  slots_ = state.slots;
}

std::int64_t Updater::steps(const State& state) const {
  return counts() ? static_cast<std::int64_t>(state.slots[own_.begin].second.at(0)) : state.step;
}

std::int64_t Updater::rule_step(const State& state) const {
  const double left_out = update_->skips ? state.slots[own_.program].second.at(0) : 0;
  return steps(state) - skipped(state) + 1 - static_cast<std::int64_t>(left_out);
}

std::byte* Updater::slot(State& state, std::string_view ending) const {
  for (std::size_t i = 0; i < update_->slots.size(); ++i) {
    if (update_->slots[i].name.ends_with(ending)) return Mirrored::write(far_, state.slots[own_.program + i].second);
  }
  defect("no slot's name ends with '{}'", ending);
}

std::span<std::pair<std::string, Tensor>> Updater::program_slots(State& state) const {
  return std::span(state.slots).subspan(own_.program, update_->slots.size());
}

void Updater::count_step(State& state) const {
  if (!counts()) return;
  Tensor& count = state.slots[own_.begin].second;
  count.set(0, count.at(0) + 1);
}

void Updater::skip(State& state) {
  if (!update_->skips && own_.count == wanted()) {
    const auto behind = state.slots.begin() + static_cast<std::ptrdiff_t>(own_.end());
    state.slots.emplace(behind, prefix_ + std::string(skipped_slot), zeros({1}, f64));
    ++own_.count;
  }
  Tensor& count = state.slots[update_->skips ? own_.program : own_.end() - 1].second;
  count.set(0, count.at(0) + 1);
}

std::int64_t Updater::skipped(const State& state) const {
  const bool counted = !update_->skips && own_.count > wanted();
  return counted ? static_cast<std::int64_t>(state.slots[own_.end() - 1].second.at(0)) : 0;
}

void Updater::set_scalars(const StepNumbers& numbers) {
  if (numbers.momentum || filled_with_ != numbers.seed) {
    fill_scalars(*update_, numbers, scalars_);
    filled_with_.reset();
    if (!numbers.momentum) filled_with_ = numbers.seed;
    return;
  }
  scalars_[scalar_step] = static_cast<double>(numbers.step);
  scalars_[scalar_inverse_weight] = 1 / numbers.weight;
  scalars_[scalar_gradient_norm] = numbers.gradient_norm;
  scalars_[scalar_lr] = numbers.lr;
}

std::byte* Updater::scalars_of(const StepNumbers& numbers) {
  set_scalars(numbers);
  auto* const here = reinterpret_cast<std::byte*>(scalars_.data());
  if (!far_) return here;
  far_->write(scalars_there_.data(), here, scalars_.size() * sizeof(double));
  return scalars_there_.data();
}

void Updater::run(State& state, std::byte* gradient, std::byte* scalars, Workers& workers) {
  bool stay = true;
  std::byte** next = bases_.data();
  const auto place = [&](std::byte* base) { stay &= std::exchange(*next++, base) == base; };
  place(Mirrored::write(far_, state.parameters));
  place(gradient);
  place(scalars);
  for (std::size_t i = 0; i < update_->slots.size(); ++i)
    place(Mirrored::write(far_, state.slots[own_.program + i].second));
  if (stay && calls_.are_bound()) return calls_.again();
  update_->program->run(bases_, arena_.data(), workers, calls_);
}

bool Updater::are_in_place(State& state, const std::byte* gradient) const {
  if (far_ || counts() || !calls_.are_bound() || slots_.data() != state.slots.data() ||
      slots_.size() != state.slots.size())
    return false;
  std::byte* const* base = bases_.data();
  if (*base++ != state.parameters.mutable_raw() || *base++ != gradient) return false;
  ++base;  // the scalars are here
  for (std::size_t i = 0; i < update_->slots.size(); ++i) {
    auto& [name, values] = state.slots[own_.program + i];
    const UpdateSlot& wanted = update_->slots[i];  // other slots may lie where these lay
    if (values.size() != wanted.size || values.dtype() != wanted.dtype || name != wanted.name) return false;
    if (*base++ != values.mutable_raw()) return false;
  }
  return true;
}

Tensor Updater::evaluated(const State& state, Workers& workers) const {
  return evaluation_parameters(*update_, state, own_.program, steps(state) - skipped(state), workers);
}

}  // namespace thalweg
