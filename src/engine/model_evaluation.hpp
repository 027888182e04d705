#pragma once
// Finds the model and the loss of an objective that is made of both, and makes the same objective with labels drawn
// from the model.

#include "engine/objective.hpp"

namespace thalweg {

/// The result of evaluation_of.
struct ModelEvaluation {
  ModelFunction model;
  LossFunction loss;
  [[nodiscard]] Evaluated operator()(Scope s, const Batch& b) const;
};

/// The objective with targets drawn from the model's distribution p, anew in every step: its gradient is that of -log
/// p(y), and the covariance of this gradient is the Fisher information. Where the second derivative of the loss by the
/// output does not depend on the target, as for cross-entropies, squares and counts, this is the Gauss-Newton matrix
/// (Martens 2020, section 9.2). The value has no meaning; only the gradient is used. Throws UsageError, in the name of
/// `who` and with this hint, for an objective that is not a model with a loss of loss::likelihoods, or that weighs
/// samples or classes.
[[nodiscard]] EvaluationFunction with_drawn_labels(const EvaluationFunction& function, std::string_view who,
                                                   std::string_view hint);

}  // namespace thalweg
