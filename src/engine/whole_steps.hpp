#pragma once
// Training by a method that owns its steps: all rows at once, in f64.

#include <optional>

#include "engine/product_oracle.hpp"
#include "optim/update.hpp"

namespace thalweg {

/// The steps of a method on the parameters of a state. The method and its vectors are on this host; the value, the
/// gradients and the products that it asks for may be computed on a device. Its memory from step to step is in slots of
/// the state (whole_slots): the point in f64, with its value and gradient. The parameters of the state are the rounded
/// point.
class WholeSteps {
 public:
  WholeSteps(const EvaluationFunction& function, const Optimizer& optimizer, Workers& workers, std::int64_t shard_size,
             Device* far = nullptr);

  struct Took {
    double loss = 0, gradient_norm = 0;  ///< where the step began
    double size = 0;                     ///< as MethodStep's
    double weight = 0;                   ///< of the rows
    bool ended = false;                  ///< whether no further step is possible
  };
  /// One step on these rows, which must be the same at every step. `slots` are those of whole_slots. Throws
  /// NumericError where the loss is not finite at the start.
  Took step(State& state, std::span<std::pair<std::string, Tensor>> slots, const RowSelection& rows);

  /// Whether a step found that no further step is possible.
  [[nodiscard]] static bool ended(std::span<const std::pair<std::string, Tensor>> slots);

 private:
  Took step_from(MethodPoint& at, bool begins, std::span<double> numbers, ProductOracle& oracle);
  void prepare(const State& state);

  std::string name_;
  std::shared_ptr<const Method> method_;
  Products products_;
  std::shared_ptr<const Layout> layout_;  ///< of the state that it is prepared for
  State held_;  ///< in f64, with the same step number at every step, so that random draws are made once
  MethodMemory memory_;
};

}  // namespace thalweg
