#pragma once
// The update of an optimizer, traced over the flat block of parameters.

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "optim/factored.hpp"
#include "plan/program.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// The bases of an update program, from first_user_base on; the slots follow.
struct UpdateBases {
  static constexpr int parameters = first_user_base, gradient = first_user_base + 1, scalars = first_user_base + 2,
                       first_slot = first_user_base + 3;
  /// The evaluation program reads no gradient: its output, in the parameters' layout, has this base.
  static constexpr int evaluated = gradient;
};

/// A number that may differ from step to step: the host sets it to its default, or to the value of a schedule.
struct UpdateScalar {
  std::string name;
  double value = 0;
};

/// The scalars that every update has, in front of the rules' own.
enum CommonScalar { scalar_step, scalar_inverse_weight, scalar_gradient_norm, scalar_lr, scalar_seed, common_scalars };

/// A flat buffer that the program reads and writes.
struct UpdateSlot {
  std::string name;
  double initial = 0;
  std::int64_t size = 0;
  DType dtype = f32;
};

/// Of a method that owns its steps there are slots alone: "point", "slope" (its gradient), "numbers" (whether it has
/// begun, the value, whether it has ended), and then what the method keeps.
struct UpdateProgram {
  std::vector<UpdateScalar> scalars;  ///< in the order of the f64 block behind UpdateBases::scalars
  std::vector<UpdateSlot> slots;      ///< in the order of their bases
  std::optional<Program> program;
  bool skips = false;                 ///< whether a step may be left out: the slot "skipped" counts them
  int go = -1;                        ///< the scalar that is 0 where a step is to change nothing; none: -1
  std::optional<Program> evaluation;  ///< the values to evaluate with, where they are not the parameters
};

/// Traces and plans. The gradient behind its base is a sum over samples; the scalar inverse_weight makes it a mean.
/// Gradients lie as gradient_offsets says. Moving averages are moved in the same pass. `layers` are those that a
/// transform may see as matrices, their parameters trained.
[[nodiscard]] UpdateProgram make_update(const Optimizer& optimizer, const Layout& layout, Passes passes = {},
                                        std::span<const MovingAverage> averages = {},
                                        std::span<const FactoredLayer> layers = {}, Device& device = this_cpu());

/// What the host passes to one step.
struct StepNumbers {
  std::int64_t step = 1;  ///< from 1
  double weight = 1;      ///< the gradient's sum is divided by it
  double gradient_norm = 0, lr = 0;
  std::uint64_t seed = 0;               ///< of random numbers
  std::optional<double> momentum = {};  ///< of the schedule: every "momentum" and "beta1"
};
/// The scalars of the step, in the order of the program's.
void fill_scalars(const UpdateProgram& update, const StepNumbers& numbers, std::span<double> scalars);

/// A traced update before it is planned, to be explained. Its places are those of UpdateProgram.
struct TracedUpdate {
  std::unique_ptr<Graph> graph;
  std::vector<Bound> inputs, outputs;
  std::vector<UpdateSlot> slots;
  std::vector<UpdateScalar> scalars;
};
[[nodiscard]] TracedUpdate trace_update(const Optimizer& optimizer, const Layout& layout);

/// Whether parts of the parameters can be stepped apart, to the same bits: no rule looks at all of them at once, draws
/// random numbers, or evaluates at values of its own.
[[nodiscard]] bool can_be_shared(const Optimizer& optimizer, const Layout& layout);

/// The slots before the first step.
[[nodiscard]] std::vector<std::pair<std::string, Tensor>> initial_slots(const UpdateProgram& update);

/// All parameters with the values to evaluate with: the optimizer's averages if it keeps any, else the state's own.
[[nodiscard]] Tensor evaluation_parameters(const UpdateProgram& update, const State& state, Workers& workers);
/// The same for slots that begin at `first_slot`, and a count of steps of their own.
[[nodiscard]] Tensor evaluation_parameters(const UpdateProgram& update, const State& state, std::size_t first_slot,
                                           std::int64_t step, Workers& workers);

/// Whether a name fits a pattern: `*` stands for any characters, `?` for one.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

/// What one transform sees of one segment while it is traced.
struct UpdateContext {
  std::map<std::string, Var, std::less<>>* slots;
  std::function<Var(std::string_view, double)> scalar;
  std::function<double(std::string_view, double)> number;  ///< of the parameter group, else the default that is passed
  std::function<Var(const Var&)> total;
  std::function<Var()> normal;
  std::optional<Var> gradient_norm;  ///< if the host knows it
  Var step;
  double decay_factor = 1;
  bool* asks_for_decay = nullptr;  ///< set if the rule reads the decay
};

}  // namespace thalweg
