#pragma once
// Tests the advice of a verdict on copies of a run; the run itself is not changed.

#include "insight/verdict.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Creates a Trainer with the model and loss of the judged run, and another optimizer.
using MakeTrainer = std::function<Trainer(Optimizer)>;

/// Short runs from the final parameters, or from the initial ones, and steps along the gradient; `run` has the options
/// of the run's training. The trials for one piece of advice take at most 3 % of the run's steps, or 20 steps if that
/// is more: two runs of two fifths each, on the rows that the run would have taken next, and a line search. Nothing if
/// the rows are not read yet. The arguments must outlive the trials.
[[nodiscard]] std::optional<Trials> trials_of(MakeTrainer make, const Optimizer& optimizer, const Dataset& training,
                                              const FitOptions& run, State end);

}  // namespace thalweg
