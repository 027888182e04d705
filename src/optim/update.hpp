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

/// The base addresses of an update program, from first_user_base on; the slots follow.
struct UpdateBases {
  static constexpr int parameters = first_user_base, gradient = first_user_base + 1, scalars = first_user_base + 2,
                       first_slot = first_user_base + 3;
  /// The evaluation program reads no gradient; its output, in the layout of the parameters, has this base instead.
  static constexpr int evaluated = gradient;
};

/// A number that may change from step to step: the host sets it to its default, or to the value of a schedule.
struct UpdateScalar {
  std::string name;
  double value = 0;
};

/// The scalars that every update has; the scalars of the rules follow them.
enum CommonScalar { scalar_step, scalar_inverse_weight, scalar_gradient_norm, scalar_lr, scalar_seed, common_scalars };

/// A flat buffer that the program reads and writes.
struct UpdateSlot {
  std::string name;
  double initial = 0;
  std::int64_t size = 0;
  DType dtype = f32;
};

/// A method that owns its steps has only slots: "point", "slope" (the gradient there), "numbers" (whether it has begun,
/// the value, whether it has ended), and then what the method keeps.
struct UpdateProgram {
  std::vector<UpdateScalar> scalars;  ///< in the order of the f64 block behind UpdateBases::scalars
  std::vector<UpdateSlot> slots;      ///< in the order of their bases
  std::optional<Program> program;
  bool skips = false;                 ///< whether steps may be skipped; the slot "skipped" counts the skipped ones
  int go = -1;                        ///< the scalar that is 0 for a step that must change nothing; -1: there is none
  std::optional<Program> evaluation;  ///< the values to evaluate with, where they are not the parameters
};

/// Traces and plans the update. The gradient is a sum over samples; the scalar inverse_weight makes it a mean.
/// Gradients lie as gradient_offsets says. The same pass updates the moving averages. `layers` are the layers that a
/// transform may see as matrices; all their parameters are trained.
[[nodiscard]] UpdateProgram make_update(const Optimizer& optimizer, const Layout& layout, Passes passes = {},
                                        std::span<const MovingAverage> averages = {},
                                        std::span<const FactoredLayer> layers = {}, Device& device = this_cpu());

/// What the host passes to one step.
struct StepNumbers {
  std::int64_t step = 1;  ///< from 1
  double weight = 1;      ///< the gradient's sum is divided by it
  double gradient_norm = 0, lr = 0;
  std::uint64_t seed = 0;               ///< seed of the random numbers
  std::optional<double> momentum = {};  ///< from the schedule: the value of every scalar "momentum" and "beta1"
};
/// The scalars of a step, in the order of UpdateProgram::scalars.
void fill_scalars(const UpdateProgram& update, const StepNumbers& numbers, std::span<double> scalars);

/// A traced update before it is planned, for `--explain`. Its places are those of UpdateProgram.
struct TracedUpdate {
  std::unique_ptr<Graph> graph;
  std::vector<Bound> inputs, outputs;
  std::vector<UpdateSlot> slots;
  std::vector<UpdateScalar> scalars;
};
[[nodiscard]] TracedUpdate trace_update(const Optimizer& optimizer, const Layout& layout);

/// Whether parts of the parameters can be updated separately with the same bits: no rule reads all parameters at once,
/// draws random numbers, or evaluates at values of its own.
[[nodiscard]] bool can_be_shared(const Optimizer& optimizer, const Layout& layout);

/// The slots before the first step.
[[nodiscard]] std::vector<std::pair<std::string, Tensor>> initial_slots(const UpdateProgram& update);

/// All parameters with the values to evaluate with: the optimizer's averages if it keeps any, else the state's own.
[[nodiscard]] Tensor evaluation_parameters(const UpdateProgram& update, const State& state, Workers& workers);
/// The same for slots that begin at `first_slot` and have their own count of steps.
[[nodiscard]] Tensor evaluation_parameters(const UpdateProgram& update, const State& state, std::size_t first_slot,
                                           std::int64_t step, Workers& workers);

/// Whether a name fits a pattern: `*` stands for any characters, `?` for one.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

/// What a transform reads of one segment while it is traced.
struct UpdateContext {
  std::map<std::string, Var, std::less<>>* slots;
  std::function<Var(std::string_view, double)> scalar;
  std::function<double(std::string_view, double)>
      number;  ///< the value of the parameter group, else the default that is passed
  std::function<Var(const Var&)> total;
  std::function<Var()> normal;
  std::optional<Var> gradient_norm;  ///< set where the host has computed it
  Var step;
  double decay_factor = 1;
  bool* asks_for_decay = nullptr;  ///< set if the rule reads the decay
};

}  // namespace thalweg
