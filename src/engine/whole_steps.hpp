#pragma once
// Training by a method that owns its steps: all rows at once, in f64.

#include <optional>

#include "engine/product_oracle.hpp"
#include "optim/update.hpp"

namespace thalweg {

/// The steps of a method on the parameters of a state. What it keeps from step
/// to step is in slots of the state (whole_slots): the point in f64, of which
/// the parameters are the rounding, with its value and gradient.
class WholeSteps {
 public:
  WholeSteps(const EvaluationFunction& function, const Optimizer& optimizer, Workers& workers, std::int64_t shard_size);

  struct Took {
    double loss = 0, gradient_norm = 0;  ///< where the step began
    double size = 0;                     ///< as MethodStep's
    double weight = 0;                   ///< of the rows
    bool ended = false;                  ///< whether there is no step to come
  };
  /// One step on these rows, which are to be the same at every step. `slots`
  /// are those of whole_slots. Throws NumericError where the loss is not finite
  /// at the start.
  Took step(State& state, std::span<std::pair<std::string, Tensor>> slots, const RowSelection& rows);

  /// Whether a step found that there is none to come.
  [[nodiscard]] static bool ended(std::span<const std::pair<std::string, Tensor>> slots);

 private:
  Took step_from(MethodPoint& at, bool begins, std::span<double> numbers, ProductOracle& oracle);
  void prepare(const State& state);

  std::string name_;
  std::shared_ptr<const Method> method_;
  Products products_;
  std::shared_ptr<const Layout> layout_;  ///< of the state that it is prepared for
  State held_;                            ///< in f64, at one step for all: what is drawn is drawn once
  MethodMemory memory_;
};

}  // namespace thalweg
