#pragma once
// Runs the optimizer's program of one objective on a state.

#include "optim/update.hpp"

namespace thalweg {

/// The slots of an objective with a name begin with that name, and so does its step count, "d:steps"; an objective
/// without a name uses the state's own step count.
class Updater {
 public:
  Updater(std::string name, Optimizer optimizer, std::vector<MovingAverage> averages)
      : prefix_(name.empty() ? "" : std::move(name) + ":"),
        optimizer_(std::move(optimizer)),
        averages_(std::move(averages)) {}

  /// Plans the update for the trained parameters, once for each layout of the state, and adds slots to a state without
  /// any. It runs on the given device, or with these threads on this CPU if that is null. Throws UsageError for slots
  /// of another optimizer.
  void prepare(State& state, const Layout& trained, int threads, std::span<const FactoredLayer> layers = {},
               Device* far = nullptr);
  /// Whether that has been done for this state.
  [[nodiscard]] bool is_prepared(const State& state) const {
    const bool seen = slots_.data() == state.slots.data() && slots_.size() == state.slots.size();
    return layout_ == state.layout && seen && (own_.count == 0 || fit(state, own_));
  }
  /// Tells that the trained parameters have changed.
  void forget() { layout_.reset(); }
  // The functions below are for the state that was prepared last.
  /// Steps of this objective so far, and the number of them that were left out for another reason than a rule's
  /// condition.
  [[nodiscard]] std::int64_t steps(const State& state) const;
  [[nodiscard]] std::int64_t skipped(const State& state) const;
  /// The step number that the rules see in the next step, from 1.
  [[nodiscard]] std::int64_t rule_step(const State& state) const;
  /// The slot of the program whose name has this end, to be written where the update runs.
  [[nodiscard]] std::byte* slot(State& state, std::string_view ending) const;
  /// The slots of the program.
  [[nodiscard]] std::span<std::pair<std::string, Tensor>> program_slots(State& state) const;
  /// Counts a step; the state's own count is the caller's.
  void count_step(State& state) const;
  /// Counts a step that is left out. The rules' step counts do not include it.
  void skip(State& state);
  /// One step. `gradient` is a sum over samples, in the memory of the update's device; the numbers' weight makes it a
  /// mean.
  void run(State& state, std::byte* gradient, const StepNumbers& numbers, Workers& workers) {
    run(state, gradient, scalars_of(numbers), workers);
  }
  /// The same in two parts: first the scalars, in the memory of the update's device, then the step that uses them.
  [[nodiscard]] std::byte* scalars_of(const StepNumbers& numbers);
  void run(State& state, std::byte* gradient, std::byte* scalars, Workers& workers);
  /// Whether a state and a gradient have the addresses of the last run: then `run_again` may follow. False for an
  /// objective with a name.
  [[nodiscard]] bool are_in_place(State& state, const std::byte* gradient) const;
  void run_again(const StepNumbers& numbers) {
    set_scalars(numbers);
    calls_.again();
  }
  /// The parameters to evaluate with.
  [[nodiscard]] Tensor evaluated(const State& state, Workers& workers) const;

  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }
  [[nodiscard]] const std::vector<MovingAverage>& averages() const { return averages_; }
  /// After `prepare`.
  [[nodiscard]] const UpdateProgram& program() const { return *update_; }

 private:
  /// The slots of this objective, as a range of the state's: the count, if there is one, is before the program's slots.
  struct Own {
    std::size_t begin = 0, count = 0;  ///< of all
    std::size_t program = 0;           ///< the first of the program's
    [[nodiscard]] std::size_t end() const { return begin + count; }
  };
  [[nodiscard]] Own own_in(const State& state) const;
  [[nodiscard]] bool fit(const State& state, const Own& own) const;
  [[noreturn]] void refuse(const State& state, const Own& own) const;
  [[nodiscard]] std::size_t wanted() const { return update_->slots.size() + (counts() ? 1 : 0); }
  [[nodiscard]] bool counts() const { return !prefix_.empty(); }
  void set_scalars(const StepNumbers& numbers);

  std::string prefix_;
  Optimizer optimizer_;
  std::vector<MovingAverage> averages_;
  std::shared_ptr<const Layout> layout_;
  std::optional<UpdateProgram> update_;
  Own own_;
  std::span<const std::pair<std::string, Tensor>> slots_;  // those of the state in which they were found
  Program::Calls calls_;
  Device* far_ = nullptr;
  Block arena_, scalars_there_;
  std::vector<double> scalars_;
  std::optional<std::uint64_t> filled_with_;  // the seed with which all scalars were set; none after a cycled momentum
  std::vector<std::byte*> bases_;             // of the last step
};

}  // namespace thalweg
