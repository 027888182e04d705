#include "engine/whole_steps.hpp"

#include <cmath>

#include "core/error.hpp"
#include "engine/check_state.hpp"
#include "engine/engine.hpp"
#include "optim/asks.hpp"
#include "optim/elements.hpp"

namespace thalweg {

namespace {

constexpr double small_gradient = 1e-10;  // its norm, of a mean over rows

enum Slots { point_slot, gradient_slot, numbers_slot, first_own_slot };  // as whole_slots has them
enum Numbers { started, value, has_ended };

/// Whether the parameters are still the rounding of the point.
bool is_rounding(const Tensor& point, const Tensor& parameters) {
  for (std::int64_t i = 0; i < point.size(); ++i) {
    const double x = point.at(i);
    if (parameters.at(i) != (parameters.dtype() == f32 ? static_cast<double>(static_cast<float>(x)) : x)) return false;
  }
  return true;
}

/// Lends the slots of the state to a method for a step: nothing is copied, and they are returned even after an
/// exception.
class LentSlots {
 public:
  LentSlots(std::span<std::pair<std::string, Tensor>> slots, MethodPoint& at, MethodMemory& memory)
      : slots_(slots), at_(at), memory_(memory) {
    exchange();
  }
  LentSlots(const LentSlots&) = delete;
  LentSlots& operator=(const LentSlots&) = delete;
  ~LentSlots() { exchange(); }

 private:
  void exchange() {
    std::swap(at_.x, slots_[point_slot].second);
    std::swap(at_.gradient, slots_[gradient_slot].second);
    for (std::size_t i = 0; i < memory_.kept().size(); ++i)
      std::swap(memory_.kept()[i].second, slots_[first_own_slot + i].second);
  }

  std::span<std::pair<std::string, Tensor>> slots_;
  MethodPoint& at_;
  MethodMemory& memory_;
};

}  // namespace

WholeSteps::WholeSteps(const EvaluationFunction& function, const Optimizer& optimizer, Workers& workers,
                       std::int64_t shard_size, Device* far)
    : name_(optimizer.name),
      method_(optimizer.method),
      products_(function, workers, {.mode = Mode::train, .shard_size = shard_size, .far = far}) {}

void WholeSteps::prepare(const State& state) {
  if (layout_ && same_places(*layout_, *state.layout)) return;
  held_ = state_in(f64, state);
  held_.step = 0;
  memory_ = MethodMemory(method_->slots(Tensor({state.layout->trained_size}, f64)));
  layout_ = state.layout;
}

bool WholeSteps::ended(std::span<const std::pair<std::string, Tensor>> slots) {
  return slots[numbers_slot].second.at(has_ended) != 0;
}

WholeSteps::Took WholeSteps::step(State& state, std::span<std::pair<std::string, Tensor>> slots,
                                  const RowSelection& rows) {
  prepare(state);
  held_.seed = state.seed;
  held_.parameters = state.parameters.to(f64);  // the frozen parameters too
  ProductOracle oracle(products_, held_, rows);
  for (const Need need : method_->needs()) {
    if (oracle.offers(need)) continue;
    fail<UsageError>(
        "[{}] it needs {}, and {} has none. Hint: lbfgs needs no "
        "more than value and gradient.",
        name_, name(need), oracle.kind());
  }
  const std::span<double> numbers = slots[numbers_slot].second.mutable_values<double>();
  const bool begins = numbers[started] == 0 || !is_rounding(slots[point_slot].second, state.parameters);
  MethodPoint at;
  Took took;
  {
    const LentSlots lent(slots, at, memory_);
    if (begins) {
      at.x = oracle.start();
      for (auto& [slot, values] : memory_.kept()) fill(values, 0);
    }
    took = step_from(at, begins, numbers, oracle);
    for (std::int64_t i = 0; i < at.x.size(); ++i) state.parameters.set(i, at.x.at(i));
  }
  took.weight = products_.weight();
  return took;
}

WholeSteps::Took WholeSteps::step_from(MethodPoint& at, bool begins, std::span<double> numbers, ProductOracle& oracle) {
  at.value = begins ? oracle.gradient(at.x, at.gradient) : numbers[value];
  Took took{.loss = at.value, .gradient_norm = norm(at.gradient)};
  if (!std::isfinite(took.loss) || !std::isfinite(took.gradient_norm)) {
    fail<NumericError>(
        "[{}] the loss is {} and its gradient's norm {} where "
        "the run begins. Hint: smaller weights.",
        name_, took.loss, took.gradient_norm);
  }
  if (took.gradient_norm <= small_gradient && !method_->leave(at, memory_, oracle)) {
    took.ended = true;
  } else if (took.gradient_norm > small_gradient) {
    const MethodStep done = method_->step(at, memory_, oracle);
    took.size = done.size;
    took.ended = !done.moved;
  }
  numbers[started] = 1;
  numbers[value] = at.value;
  numbers[has_ended] = took.ended ? 1 : 0;
  return took;
}

void Engine::check_whole_steps() const {
  for (const Member& o : objectives_) {
    const Optimizer& optimizer = o.updater.optimizer();
    if (!owns_steps(optimizer)) continue;
    const auto refuse = [&](std::string_view why) { fail<UsageError>("[{}] {}", optimizer.name, why); };
    if (size() > 1) refuse("it owns its steps, and here several objectives step at once. Hint: they can take turns.");
    if (!optimizer.groups.empty()) refuse("it steps all parameters alike. Wanted: no groups of parameters");
    if (!o.updater.averages().empty()) refuse("it updates no moving averages. Hint: take the parameters at the end.");
    if (!o.options.trains.everything()) refuse("it trains all parameters. Wanted: an objective without .trains");
  }
}

void Engine::whole_turn(State& state, const RowSelection& batch, const Turn& turn, StepReport& report) {
  Updater& updater = objectives_.front().updater;
  if (state.layout->statistics_size > 0) {
    fail<UsageError>(
        "[{}] the model keeps running statistics, which this optimizer cannot update. Hint: layer normalisation in "
        "place of batch normalisation.",
        optimizer(0).name);
  }
  if (!whole_steps_) whole_steps_.emplace(functions_.front(), optimizer(0), crew_->workers, turn.shard_size, far_);
  const WholeSteps::Took took = whole_steps_->step(state, updater.program_slots(state), batch);
  did_.front() = {took.loss, took.weight, took.gradient_norm, took.size};
  updater.count_step(state);
  report = {.step = state.step + 1,
            .total_steps = turn.progress.empty() ? 0 : turn.progress.front().total,
            .loss = took.loss,
            .gradient_norm = took.gradient_norm,
            .lr = took.size,
            .samples = batch.count(),
            .weight = took.weight};
}

bool Engine::ended(const State& given) {
  if (!owns_steps_) return false;
  State state = given;
  prepare(state);
  return WholeSteps::ended(objectives_.front().updater.program_slots(state));
}

}  // namespace thalweg
