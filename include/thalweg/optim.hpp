#pragma once
// Optimizers: chains of transforms. A transform takes the gradient, or the direction of the transform before it, and
// returns a direction; the last direction is subtracted from the parameters. Its rule is a few lines on Vars, traced
// and run as one fused pass over flat memory.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "thalweg/method.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/options.hpp"
#include "thalweg/schedule.hpp"

namespace thalweg {

struct UpdateContext;

/// The inputs of a rule for one group of parameters: their gradient, their values, the slots, the scalars of the step.
class Update {
 public:
  Update(UpdateContext& context, Var gradient_, Var parameter_)
      : gradient(gradient_), parameter(parameter_), context_(&context) {}

  Var gradient;   ///< the gradient, or the direction that the transform before returned
  Var parameter;  ///< the values before the step

  /// A slot, to read and to assign: `u["m"] = b1 * u["m"] + (1 - b1) * u.gradient`.
  [[nodiscard]] Var& operator[](std::string_view slot);
  /// A named number of this step: `value`, unless a schedule or the parameter group sets another. "lr" is the rate.
  [[nodiscard]] Var scalar(std::string_view name, double value);
  /// The weight decay of these parameters: the scalar "weight_decay", or an empty Var if there is none.
  [[nodiscard]] Var weight_decay(double value);
  /// The step, from 1. In `evaluation`, the steps taken.
  [[nodiscard]] Var step();
  /// Standard normal numbers of the parameters' shape, new at every step: the same bits for any number of threads and
  /// after a resume. A second call in the same step gives the same numbers.
  [[nodiscard]] Var normal();
  /// The sum of the elements of x, over all parameters of the chain.
  [[nodiscard]] Var total(const Var& x);
  /// The norm of `gradient` over all parameters.
  [[nodiscard]] Var global_norm();
  /// 0 for parameters without decay, 1 for all others: a plain number for each group.
  [[nodiscard]] double decay_factor() const;

 private:
  UpdateContext* context_;
};

/// A buffer beside the parameters; a checkpoint holds it.
struct Slot {
  enum class Kind {
    element,  ///< one number per element, from `initial`
    copy,     ///< one number per element, from the parameters' values before the first step
    scalar,   ///< one number in all, in f64
  };
  std::string name;
  double initial = 0;
  Kind kind = Kind::element;
  /// The slot's shape for a parameter of the given shape, if the two differ; {0} means no slot. Only for per_parameter
  /// rules.
  std::function<Shape(const Shape&)> shape = {};
};

/// The computations of a transform at the different points of a step.
using UpdateRule = std::function<Var(Update&)>;

struct Transform {
  std::string name = "";
  std::vector<Slot> slots = {};
  /// The direction to return. A transform without a rule returns its input direction.
  UpdateRule rule = {};
  /// The values of the parameters after the step; `parameter` has the new values, `gradient` what was subtracted.
  UpdateRule after = {};
  /// The values to evaluate a model with, where they differ from the stepped parameters (averages).
  UpdateRule evaluation = {};
  /// One number. If it is 0, the step is skipped: parameters and slots do not change.
  UpdateRule condition = {};
  /// True for rules that need the shape of each parameter (norms of a layer); else a group is one flat vector.
  bool per_parameter = false;
  /// True for rules with slots that the method beside the chain fills: they have no sense in another chain.
  bool needs_method = false;
  /// Only in the transform that multiplies by the rate: the rate, and its schedule.
  double lr = 0;
  Schedule schedule = {};
};

/// Parameters whose names match a pattern, and how their update differs from that of the others.
struct ParameterGroup {
  std::string pattern;   ///< `*` stands for any characters, `?` for one: "encoder/*"
  double lr_factor = 1;  ///< multiplied with the optimizer's rate
  bool frozen = false;   ///< not updated at all
  /// Replace those of the method: {{"weight_decay", 0.0}}. Steps throw UsageError for a name that the method does not
  /// ask for.
  std::map<std::string, double> scalars = {};
  /// Another method in place of the optimizer's, at the optimizer's rate and schedule: one that needs only the
  /// gradient.
  std::vector<Transform> chain = {};
};

/// Either a chain with the rate and its schedule, optionally with a method that needs more than one gradient, or a
/// method that owns its steps.
struct Optimizer {
  std::string name = "custom";
  OptionMap options = {};  ///< all options, including the defaults
  std::vector<Transform> chain = {};
  double lr = 0;  ///< the only place where the rate is stored; the schedule multiplies it
  Schedule schedule = {};
  std::vector<ParameterGroup> groups = {};  ///< the first matching group counts; other parameters use `chain`
  std::shared_ptr<const Method> method = {};
};

/// A row of the table of optimizers.
struct OptimizerRow {
  std::string_view name, summary, formula, when, source;
  std::vector<OptionDoc> options = {};
  std::function<Optimizer(const OptionMap&)> make = {};  ///< throws UsageError for invalid options
  int passes = 1;  ///< over the parameters, with default options; 0: depends on their shapes, or owns its steps
  std::vector<Need> needs = {Need::gradient};
  bool keeps_bounds = true;  ///< each step ends inside the bounds of `minimize`
  bool owns_steps = false;   ///< a Method: no rate, no schedule, no groups
};
[[nodiscard]] const std::vector<OptimizerRow>& optimizers();
/// Throws UsageError for an unknown name, naming the nearest.
[[nodiscard]] const OptimizerRow& optimizer_named(const std::string& name);
/// Makes an optimizer from a configuration: {kind = "adamw", lr = 1e-3, ...}. Throws UsageError.
[[nodiscard]] Optimizer make_optimizer(const OptionMap& configuration);
/// Makes a group from a configuration: {pattern = "head/*", lr_factor = 0.1, frozen = false, scalars = {...}, optimizer
/// = {kind = ...}}; the method's own lr, if it has one, is a factor of `optimizer.lr`. Throws UsageError for a method
/// that needs more than the gradient.
[[nodiscard]] ParameterGroup make_group(const OptionMap& configuration, const Optimizer& optimizer);

namespace optim {

// Transforms of the gradient.
Transform clip_value(double limit);              ///< each element into [-limit, limit]
Transform clip_norm(double max_norm);            ///< g min(1, max_norm / (|g| + 1e-6)), |g| over all parameters
Transform clip_parameter_norm(double max_norm);  ///< the same with the norm of each parameter
/// g min(1, clipping max(|x|, eps) / |g|) for each output unit, a column of a weight. (Brock et al. 2021, AGC)
Transform adaptive_clip(double clipping = 0.01, double eps = 1e-3);
/// g + sqrt(eta / t^gamma) n: independent Gaussian noise for each element, whose variance falls from eta on.
/// (Neelakantan et al. 2015, where eta is 0.01, 0.3 or 1)
Transform add_noise(double eta, double gamma = 0.55);
Transform centralize();          ///< g minus its mean over the inputs of each output unit (Yong et al. 2020)
Transform zero_nonfinite();      ///< elements that are not finite become 0
Transform skip_nonfinite();      ///< leaves out a step whose gradient is not finite; put it first
Transform negate();              ///< -g: ascent
Transform scale(double factor);  ///< factor g

// Penalties. Before the method they are coupled (part of the gradient), after it decoupled.
Transform add_decayed_weights(double decay);      ///< g + decay x
Transform add_l1(double strength);                ///< g + strength sign(x)
Transform add_elastic_net(double l1, double l2);  ///< g + l1 sign(x) + l2 x

// Directions.
Transform scale_by_momentum(double momentum, double dampening = 0, bool nesterov = false);
Transform scale_by_adam(double beta1, double beta2, double eps, bool bias_correction = true, bool amsgrad = false);
Transform scale_by_trust_ratio();                          ///< g |x| / |g| for each parameter; g where a norm is 0
Transform scale_by_lr(double lr, Schedule schedule = {});  ///< lr g; lr follows the schedule

// After the step: projections, to the nearest point of a set.
Transform project_box(double low, double high);  ///< each element into [low, high]
Transform project_nonnegative();                 ///< each element to 0 or above
Transform project_ball(double radius);           ///< all parameters together into |x| <= radius
Transform project_simplex(double total = 1);     ///< each row of a parameter: not negative, with that sum

// After the step: averages of the parameters, to evaluate with.
Transform average_exponential(double decay = 0.999);  ///< a = decay a + (1 - decay) x, from the values at the start
/// The mean of the values after steps `start`, start + every, ... (Polyak and Juditsky 1992; with `every` > 1,
/// stochastic weight averaging, Izmailov et al. 2018). Before that, the parameters.
Transform average_mean(std::int64_t start = 1, std::int64_t every = 1);
/// Every `every` steps: slow += mix (x - slow), x = slow. (Zhang et al. 2019)
Transform look_ahead(std::int64_t every, double mix);

/// Transforms one after another. The last `scale_by_lr` gives the rate and its schedule.
Optimizer chain(std::vector<Transform> transforms);
template <class... More>
Optimizer chain(Transform first, More... more) {
  return chain(std::vector<Transform>{std::move(first), std::move(more)...});
}
/// A method with a transform before it, or after it.
Optimizer prepend(Transform first, Optimizer method);
Optimizer append(Optimizer method, Transform last);

}  // namespace optim
}  // namespace thalweg
