#pragma once
// Training on all rows at once, by a method that owns its steps: for models that are smooth, and data that fit memory.

#include "thalweg/loss.hpp"
#include "thalweg/minimize.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

struct WholeFitOptions {
  double l2 = 0;  ///< adds l2/2 |x|^2 over the parameters with weight decay, that is, without biases
  std::int64_t max_steps = 1000;
  double gradient_norm = 1e-8;  ///< stop when it is at most this
  double value_change = 0;      ///< stop when a step changes the loss by at most this; 0: never
  std::uint64_t seed = 1;       ///< of the initial parameters and of random draws
  int threads = 0;
  Stop stop = {};
  std::function<void(const MinimizeStep&)> on_step = {};
};

struct WholeFit {
  State state;            ///< f32, in the form that a Trainer uses
  MinimizeResult result;  ///< in f64: the trained parameters, the loss with its penalty, and the reason for the end
};

/// Minimises the mean loss over all rows, in f64, by exact derivatives; the same bits for any number of threads. Random
/// draws of a model (dropout) are made once and kept. Throws UsageError for an optimizer that is a chain of transforms,
/// for an optimizer that asks for residuals, and for a model with running statistics, which need many steps. As in
/// Trainer::fit, rows of weight 0 decide nothing, and other weights must be finite and above 0 (DataError).
[[nodiscard]] WholeFit fit_whole(const ModelFunction& model, const LossFunction& loss, const Dataset& data,
                                 const Optimizer& method, const WholeFitOptions& options = {});

}  // namespace thalweg
