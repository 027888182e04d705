#include "sparse/row_table.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/index.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t smallest_plan = 16;  // rows for which the smallest update is planned

/// The layout of `rows` touched rows and the tail behind them.
Layout layout_for(std::int64_t rows, std::int64_t width, std::int64_t tail, DType dtype) {
  Layout layout;
  layout.dtype = dtype;
  layout.entries = {{"rows", {rows, width}, 0}};
  layout.decayed_size = layout.size = rows * width;
  if (tail > 0) {
    layout.entries.push_back({"tail", {tail, width}, layout.size, false, false, false});
    layout.size += tail * width;
  }
  layout.trained_size = layout.size;
  return layout;
}

[[noreturn]] void refuse(const Optimizer& optimizer, std::string_view why) {
  fail<UsageError>(
      "[sparse] the optimizer '{}' cannot update single rows: {}. Hint: sgd, ftrl or adamw, or adagrad or adam without "
      "weight_decay.",
      optimizer.name, why);
}

/// Runs an optimizer on a few numbers in f64, to find out what it does.
class Probe {
 public:
  explicit Probe(const Optimizer& optimizer)
      : update_(make_update(optimizer, layout_for(count, 1, 0, f64))), arena_(update_.program->arena_bytes()) {}
  static constexpr std::int64_t count = 16;
  using Numbers = std::vector<double>;

  [[nodiscard]] const UpdateProgram& update() const { return update_; }
  [[nodiscard]] std::vector<Numbers> initial() const {
    std::vector<Numbers> slots;
    for (const UpdateSlot& slot : update_.slots) slots.emplace_back(static_cast<std::size_t>(slot.size), slot.initial);
    return slots;
  }
  void run(Numbers& x, Numbers gradient, std::vector<Numbers>& slots, double lr, std::int64_t step) {
    Numbers scalars(update_.scalars.size());
    fill_scalars(update_, {.step = step, .gradient_norm = 1, .lr = lr}, scalars);
    std::vector<std::byte*> bases;
    for (Numbers* numbers : {&x, &gradient, &scalars}) bases.push_back(reinterpret_cast<std::byte*>(numbers->data()));
    for (Numbers& slot : slots) bases.push_back(reinterpret_cast<std::byte*>(slot.data()));
    update_.program->run(bases, arena_.data(), alone_);
  }

 private:
  UpdateProgram update_;
  Block arena_;
  Workers alone_{1};
};

Probe::Numbers ramp(double first) {
  Probe::Numbers numbers;
  for (std::int64_t i = 0; i < Probe::count; ++i) numbers.push_back(first + static_cast<double>(i) / 4);
  return numbers;
}

/// The common value of all numbers up to rounding; nothing where they differ.
std::optional<double> common(const std::vector<double>& numbers) {
  const auto [low, high] = std::ranges::minmax(numbers);
  return high - low <= 1e-9 * std::max(1.0, std::abs(high)) ? std::optional(numbers.front()) : std::nullopt;
}

/// The decay in x *= 1 - lr decay for a gradient of 0 and slots at their initial values.
double resting_decay(Probe& probe, const Optimizer& optimizer, double rate) {
  std::vector<double> decays;
  for (const double lr : {rate, rate / 2}) {
    Probe::Numbers x = ramp(1);
    auto slots = probe.initial();
    probe.run(x, Probe::Numbers(Probe::count, 0.0), slots, lr, 2);
    const Probe::Numbers before = ramp(1);
    for (std::size_t i = 0; i < x.size(); ++i) decays.push_back((1 - x[i] / before[i]) / lr);
  }
  if (const auto decay = common(decays)) return std::abs(*decay) < 1e-9 ? 0 : *decay;
  refuse(optimizer, "with a gradient of 0 it changes them by more than the factor 1 - lr weight_decay");
}

/// The factor by which a step changes each slot where the gradient is 0.
std::vector<double> resting_slots(Probe& probe, const Optimizer& optimizer, double rate) {
  Probe::Numbers x(Probe::count, 0.0);
  auto before = probe.initial();
  probe.run(x, ramp(1), before, rate, 1);
  auto after = before;
  probe.run(x, Probe::Numbers(Probe::count, 0.0), after, rate, 2);
  std::vector<double> factors;
  for (std::size_t s = 0; s < after.size(); ++s) {
    std::vector<double> each;
    for (std::size_t i = 0; i < after[s].size(); ++i)
      each.push_back(before[s][i] == after[s][i] ? 1 : after[s][i] / before[s][i]);
    const auto factor = after[s].size() == 1 ? std::optional(1.0) : common(each);
    if (!factor)
      refuse(optimizer, fmt::format("its slot '{}' does not decay by a factor", probe.update().slots[s].name));
    factors.push_back(*factor);
  }
  return factors;
}

/// Whether the step of a number depends on the gradients and values of other numbers.
bool mixes(Probe& probe, double rate) {
  Probe::Numbers results[2];
  for (const bool other : {false, true}) {
    Probe::Numbers x = ramp(1), gradient = ramp(-1);
    if (other) x.back() = 9, gradient.back() = 7;
    auto slots = probe.initial();
    for (const std::int64_t step : {1, 2}) probe.run(x, gradient, slots, rate, step);
    x.pop_back();
    results[other ? 1 : 0] = x;
  }
  return results[0] != results[1];
}

}  // namespace

RestingRow resting_row(const Optimizer& optimizer) {
  if (!optimizer.groups.empty()) refuse(optimizer, "it has groups of parameters");
  if (owns_steps(optimizer)) refuse(optimizer, "it owns its steps");
  if (asks_of(optimizer).any()) refuse(optimizer, "it asks for more than one gradient a step");
  Probe probe(optimizer);
  const UpdateProgram& update = probe.update();
  if (update.skips) refuse(optimizer, "it may skip a step");
  if (update.evaluation) refuse(optimizer, "it keeps averages of all parameters");
  for (const UpdateSlot& slot : update.slots) {
    if (slot.size != 1 && slot.size != Probe::count)
      refuse(optimizer, fmt::format("its slot '{}' does not have one number for each parameter", slot.name));
  }
  const double rate = optimizer.lr > 0 ? optimizer.lr : 0.1;
  if (mixes(probe, rate)) refuse(optimizer, "it needs all parameters at once");
  return {resting_decay(probe, optimizer, rate), resting_slots(probe, optimizer, rate)};
}

RowTable::RowTable(Optimizer optimizer, std::int64_t rows, std::int64_t width, std::int64_t tail)
    : optimizer_(std::move(optimizer)),
      resting_(resting_row(optimizer_)),
      rows_(rows),
      width_(width),
      tail_(tail),
      values_({rows + tail, width}) {
  for (const UpdateSlot& slot : plan_for(1).update.slots) {
    const bool single = slot.size == 1;
    slots_.emplace_back(slot.name, full(single ? Shape{1} : Shape{rows + tail, width}, slot.initial, slot.dtype));
  }
  const bool slots_decay = std::ranges::any_of(resting_.slots, [](double factor) { return factor != 1; });
  seen_ = zeros({slots_decay ? rows : 0}, f64);
  decayed_by_ = zeros({resting_.decay != 0 ? rows : 0}, f64);
}

RowTable::Plan& RowTable::plan_for(std::int64_t rows) {
  const auto capacity =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max(rows, smallest_plan))));
  if (const auto found = plans_.find(capacity); found != plans_.end()) return found->second;
  Plan plan;
  plan.capacity = capacity;
  plan.update = make_update(optimizer_, layout_for(capacity, width_, tail_, f32));
  const auto size = static_cast<std::size_t>((capacity + tail_) * width_);
  plan.arena = Block(plan.update.program->arena_bytes());
  plan.values.resize(size);
  plan.gradient.resize(size);
  for (const UpdateSlot& slot : plan.update.slots) plan.slots.emplace_back(slot.size == 1 ? 0 : size);
  plan.singles.resize(plan.slots.size());
  plan.scalars.resize(plan.update.scalars.size());
  return plans_.emplace(capacity, std::move(plan)).first->second;
}

/// The factor that brings a row's values up to date.
double RowTable::missed_decay(std::int32_t row) const {
  return resting_.decay == 0 ? 1 : std::exp(decayed_ - at(decayed_by_.values<double>(), row));
}

RowTable::Touched RowTable::touch(std::span<const std::int32_t> rows) {
  touched_ = &plan_for(std::ssize(rows));
  touched_rows_.assign(rows.begin(), rows.end());
  gather(*touched_);
  std::ranges::fill(touched_->gradient, 0.0F);
  return {touched_->values, touched_->gradient, touched_->capacity};
}

namespace {

/// Copies rows of a table next to each other, each times its factor; then zeros up to the tail, and the tail.
template <class Factor>
void gather_rows(std::span<const float> table, std::span<const std::int32_t> rows, std::size_t width, std::size_t tail,
                 std::span<float> into, const Factor& factor) {
  float* to = into.data();
  for (const std::int32_t row : rows) {
    const float* const from = table.data() + static_cast<std::size_t>(row) * width;
    const double times = factor(row);
    if (times == 1) {
      to = std::copy_n(from, width, to);
    } else {
      to = std::transform(from, from + width, to,
                          [times](float x) { return static_cast<float>(static_cast<double>(x) * times); });
    }
  }
  std::fill(to, into.data() + into.size() - tail, 0.0F);
  std::copy_n(table.data() + table.size() - tail, tail, into.data() + into.size() - tail);
}

/// Adding 1 to the exponent of a number that is not finite carries into the sign. In lanes without a branch, which
/// become vectors, this takes a small part of the time of a step.
bool are_finite(std::span<const float> numbers) {
  std::array<std::uint32_t, 8> carried{};
  const auto add = [&](std::size_t lane, float x) {
    carried[lane] |= (std::bit_cast<std::uint32_t>(x) & 0x7fffffffU) + 0x00800000U;
  };
  for (; numbers.size() >= carried.size(); numbers = numbers.subspan(carried.size())) {
    for (std::size_t lane = 0; lane < carried.size(); ++lane) add(lane, numbers[lane]);
  }
  for (const float x : numbers) add(0, x);
  return std::ranges::none_of(carried, [](std::uint32_t lane) { return (lane & 0x80000000U) != 0; });
}

void scatter_rows(std::span<const float> from, std::span<const std::int32_t> rows, std::size_t width, std::size_t tail,
                  std::span<float> table) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(from.data() + i * width, width, table.data() + static_cast<std::size_t>(rows[i]) * width);
  std::copy_n(from.data() + from.size() - tail, tail, table.data() + table.size() - tail);
}

}  // namespace

void RowTable::gather(Plan& plan) {
  const auto width = static_cast<std::size_t>(width_), tail = static_cast<std::size_t>(tail_ * width_);
  gather_rows(values_.values<float>(), touched_rows_, width, tail, plan.values,
              [&](std::int32_t row) { return missed_decay(row); });
  for (std::size_t s = 0; s < plan.slots.size(); ++s) {
    if (plan.slots[s].empty()) continue;
    const double factor = resting_.slots[s];
    gather_rows(slots_[s].second.values<float>(), touched_rows_, width, tail, plan.slots[s], [&](std::int32_t row) {
      return factor == 1 ? 1 : std::pow(factor, static_cast<double>(steps_) - at(seen_.values<double>(), row));
    });
  }
}

double RowTable::step(double weight, double lr, std::optional<double> momentum) {
  Plan& plan = *touched_;
  double squares = 0;
  for (const float g : plan.gradient) squares += static_cast<double>(g) * static_cast<double>(g);
  const double norm = std::sqrt(squares) / weight;
  if (!std::isfinite(norm))
    fail<NumericError>("[sparse] step {}: the gradient is not finite. Hint: a smaller lr, or clip_norm.", steps_ + 1);
  fill_scalars(plan.update,
               {.step = steps_ + 1, .weight = weight, .gradient_norm = norm, .lr = lr, .momentum = momentum},
               plan.scalars);
  std::vector<std::byte*> bases = {reinterpret_cast<std::byte*>(plan.values.data()),
                                   reinterpret_cast<std::byte*>(plan.gradient.data()),
                                   reinterpret_cast<std::byte*>(plan.scalars.data())};
  for (std::size_t s = 0; s < plan.slots.size(); ++s) {
    const bool single = plan.slots[s].empty();
    if (single) plan.singles[s] = slots_[s].second.at(0);
    bases.push_back(single ? slots_[s].second.mutable_raw() : reinterpret_cast<std::byte*>(plan.slots[s].data()));
  }
  plan.update.program->run(bases, plan.arena.data(), *alone_, plan.calls);
  if (!is_finite(plan, lr)) {
    for (std::size_t s = 0; s < plan.slots.size(); ++s) {
      if (plan.slots[s].empty()) slots_[s].second.set(0, plan.singles[s]);
    }
    fail<NumericError>("[sparse] step {}: a parameter would not be finite after it. Hint: a smaller lr, or clip_norm.",
                       steps_ + 1);
  }
  scatter(plan, lr);
  return norm;
}

bool RowTable::is_finite(const Plan& plan, double lr) const {
  if (resting_.decay != 0 && !(lr * resting_.decay < 1)) return false;  // its logarithm is summed
  const std::size_t rows = touched_rows_.size() * static_cast<std::size_t>(width_),
                    tail = static_cast<std::size_t>(tail_ * width_);
  const auto touched_are = [&](std::span<const float> numbers) {  // places that no row has are never read
    return are_finite(numbers.first(rows)) && are_finite(numbers.last(tail));
  };
  for (std::size_t s = 0; s < plan.slots.size(); ++s) {
    if (plan.slots[s].empty() ? !std::isfinite(slots_[s].second.at(0)) : !touched_are(plan.slots[s])) return false;
  }
  return touched_are(plan.values);
}

void RowTable::scatter(const Plan& plan, double lr) {
  const auto width = static_cast<std::size_t>(width_), tail = static_cast<std::size_t>(tail_ * width_);
  ++steps_;
  decayed_ += resting_.decay == 0 ? 0 : std::log1p(-lr * resting_.decay);
  scatter_rows(plan.values, touched_rows_, width, tail, values_.mutable_values<float>());
  for (std::size_t s = 0; s < plan.slots.size(); ++s) {
    if (!plan.slots[s].empty())
      scatter_rows(plan.slots[s], touched_rows_, width, tail, slots_[s].second.mutable_values<float>());
  }
  const auto note = [&](Tensor& of_rows, double value) {
    if (of_rows.size() == 0) return;
    const auto into = of_rows.mutable_values<double>();
    for (const std::int32_t row : touched_rows_) at(into, row) = value;
  };
  note(seen_, static_cast<double>(steps_));
  note(decayed_by_, decayed_);
}

void RowTable::settle() {
  if (resting_.decay == 0) return;
  const auto values = values_.mutable_values<float>();
  for (std::int32_t row = 0; row < rows_; ++row) {
    const double times = missed_decay(row);
    if (times == 1) continue;
    for (float& x : values.subspan(static_cast<std::size_t>(row * width_), static_cast<std::size_t>(width_)))
      x = static_cast<float>(static_cast<double>(x) * times);
  }
  std::ranges::fill(decayed_by_.mutable_values<double>(), decayed_);
}

std::vector<std::pair<std::string, Tensor>> RowTable::state() const {
  std::vector<std::pair<std::string, Tensor>> state = {{"rows", values_}};
  for (const auto& [name, slot] : slots_) state.emplace_back("slot:" + name, slot);
  state.emplace_back("seen", seen_);
  state.emplace_back("decayed_by", decayed_by_);
  state.emplace_back("position", Tensor::of({static_cast<double>(steps_), decayed_}));
  return state;
}

void RowTable::restore(const std::vector<std::pair<std::string, Tensor>>& state) {
  std::vector<Tensor> saved;  // in the order of this table's tensors
  for (const auto& [name, own] : this->state()) {
    const auto found = std::ranges::find(state, name, &std::pair<std::string, Tensor>::first);
    if (found == state.end() || found->second.shape() != own.shape() || found->second.dtype() != own.dtype())
      fail<ModelError>("[sparse] the saved '{}' is missing, or belongs to another model or optimizer", name);
    for (std::int64_t i = 0; i < found->second.size(); ++i) {
      if (!std::isfinite(found->second.at(i)))
        fail<ModelError>("[sparse] number {} of the saved '{}' is {}. Wanted: finite numbers", i, name,
                         found->second.at(i));
    }
    saved.push_back(found->second);
  }
  const double steps = saved.back().at(0), decayed = saved.back().at(1);
  if (!(steps >= 0 && steps < 9e15 && std::isfinite(decayed)))
    fail<ModelError>("[sparse] the saved number of steps is not a valid one");
  values_ = saved[0];
  for (std::size_t s = 0; s < slots_.size(); ++s) slots_[s].second = saved[s + 1];
  seen_ = saved[slots_.size() + 1];
  decayed_by_ = saved[slots_.size() + 2];
  steps_ = static_cast<std::int64_t>(steps);
  decayed_ = decayed;
}

}  // namespace thalweg
