#pragma once
// Optimizers: chains of transforms. A transform takes the gradient (or what the one before made of it) and hands on a
// direction; the end of the chain is subtracted from the parameters. Its rule is a few lines on Vars, traced and run as
// one fused pass over flat memory.

#include <functional>
#include <string>
#include <vector>

#include "thalweg/ops.hpp"
#include "thalweg/options.hpp"
#include "thalweg/schedule.hpp"

namespace thalweg {

struct UpdateContext;

/// What a rule sees of one group of parameters: their gradient, their values, the slots, the scalars of the step.
class Update {
 public:
  Update(UpdateContext& context, Var gradient_, Var parameter_)
      : gradient(gradient_), parameter(parameter_), context_(&context) {}

  Var gradient;   ///< the gradient, or the direction that the transform before handed on
  Var parameter;  ///< the values before the step

  /// A slot, to read and to assign: `u["m"] = b1 * u["m"] + (1 - b1) * u.gradient`.
  [[nodiscard]] Var& operator[](std::string_view slot);
  /// A named number of this step; `value` unless a schedule gives another.
  [[nodiscard]] Var scalar(std::string_view name, double value);
  /// The step, from 1.
  [[nodiscard]] Var step();
  /// The norm of `gradient` over all parameters.
  [[nodiscard]] Var global_norm();
  /// 0 for parameters that are left out of decay, else 1: a plain number for each group.
  [[nodiscard]] double decay_factor() const;

 private:
  UpdateContext* context_;
};

/// A buffer beside the parameters, one number an element.
struct Slot {
  std::string name;
  double initial = 0;
};

struct Transform {
  std::string name = "";
  std::vector<Slot> slots = {};
  std::function<Var(Update&)> rule = {};
  /// True for rules that need the shape of each parameter (norms of a layer); else a group is one flat vector.
  bool per_parameter = false;
  /// Of the transform that multiplies by the rate: the rate, and the schedule it follows.
  double lr = 0;
  Schedule schedule = {};
};

/// A chain of transforms, with the rate and its schedule.
struct Optimizer {
  std::string name = "custom";
  OptionMap options = {};  ///< resolved, for the manifest
  std::vector<Transform> chain = {};
  double lr = 0;  ///< the one owner of the rate; the schedule multiplies it
  Schedule schedule = {};
};

/// A row of the table of optimizers.
struct OptimizerRow {
  std::string_view name, summary, formula, when, source;
  std::vector<OptionDoc> options = {};
  std::function<Optimizer(const OptionMap&)> make = {};  ///< throws UsageError for what the options cannot be
};
[[nodiscard]] const std::vector<OptimizerRow>& optimizers();
/// Throws UsageError for a name that is not there, naming the nearest.
[[nodiscard]] const OptimizerRow& optimizer_named(const std::string& name);

namespace optim {

// Transforms.
Transform clip_norm(double max_norm);         ///< g min(1, max_norm / (|g| + 1e-6)), |g| over all parameters
Transform add_decayed_weights(double decay);  ///< g + decay x
Transform scale_by_momentum(double momentum, double dampening = 0, bool nesterov = false);
Transform scale_by_adam(double beta1, double beta2, double eps, bool bias_correction = true, bool amsgrad = false);
Transform scale_by_lr(double lr, Schedule schedule = {});  ///< lr g; lr follows the schedule

/// Transforms one after another. The last `scale_by_lr` gives the rate and its schedule.
Optimizer chain(std::vector<Transform> transforms);
template <class... More>
Optimizer chain(Transform first, More... more) {
  return chain(std::vector<Transform>{std::move(first), std::move(more)...});
}

struct SgdOptions {
  double lr = 0;  ///< must be given
  double momentum = 0, dampening = 0, weight_decay = 0, clip_norm = 0;
  bool nesterov = false;
  Schedule schedule = {};
};
/// buf = momentum buf + (1 - dampening) g, x -= lr buf; coupled decay g + weight_decay x. As PyTorch's SGD.
Optimizer sgd(SgdOptions options);

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 0;
  bool amsgrad = false, bias_correction = true;
  Schedule schedule = {};
};
/// x -= lr m/(1 - beta1^t) / (sqrt(v)/sqrt(1 - beta2^t) + eps); coupled decay. (Kingma and Ba 2015, as PyTorch's Adam)
Optimizer adam(AdamOptions options = {});

struct AdamwOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 1e-2, clip_norm = 0;
  bool amsgrad = false, bias_correction = true;
  Schedule schedule = {};
};
/// Adam with decoupled decay, x -= lr weight_decay x. (Loshchilov and Hutter 2019)
Optimizer adamw(AdamwOptions options = {});

}  // namespace optim
}  // namespace thalweg
