#pragma once
// The optimizer's program at work on a state.

#include "optim/update.hpp"

namespace thalweg {

class Updater {
 public:
  explicit Updater(Optimizer optimizer) : optimizer_(std::move(optimizer)) {}

  /// Plans the update for the state's layout, once, and gives the state its slots where it has none. Throws UsageError
  /// for slots of another optimizer.
  void prepare(State& state);
  /// Counts a step that is left out. The rules' step counts do not have it.
  void skip(State& state) const;
  /// Steps that were left out so, where the rules do not count them themselves.
  [[nodiscard]] std::int64_t skipped(const State& state) const;
  /// One step. `gradient` is a sum over samples; the numbers' weight makes it a mean.
  void run(State& state, std::byte* gradient, const StepNumbers& numbers, Workers& workers);

  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }
  /// After `prepare`.
  [[nodiscard]] const UpdateProgram& program() const { return *update_; }

 private:
  [[nodiscard]] bool slots_fit(const std::vector<std::pair<std::string, Tensor>>& slots) const;

  Optimizer optimizer_;
  std::shared_ptr<const Layout> layout_;
  std::optional<UpdateProgram> update_;
  Program::Calls calls_;
  Block arena_;
  std::vector<double> scalars_;
  std::vector<std::byte*> bases_;
};

}  // namespace thalweg
