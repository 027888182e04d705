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

/// The objective with targets drawn from what the model says, anew in every step: its gradient is that of -log p(y), y
/// drawn from p, and the covariance of that is the Fisher information. Where the second derivative of the loss by the
/// output does not depend on the target, as of cross-entropies, squares and counts, this is the Gauss-Newton matrix
/// (Martens 2020, section 9.2). Its value means nothing: the gradient alone is of use. Throws UsageError, in the name
/// of `who` and with this hint, for an objective that is no model with a loss of loss::likelihoods, or one that weighs
/// samples or classes.
[[nodiscard]] EvaluationFunction with_drawn_labels(const EvaluationFunction& function, std::string_view who,
                                                   std::string_view hint);

}  // namespace thalweg
