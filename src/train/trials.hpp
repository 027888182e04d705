#pragma once
// Tries the advice of a verdict on copies of a run: the run itself keeps its bits.

#include "insight/verdict.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Trainers of the judged run's model and loss, with another optimizer.
using MakeTrainer = std::function<Trainer(Optimizer)>;

/// Short runs from the final parameters, or from the initial ones, and steps along the gradient; `run` has the options
/// of the run's training. The trials of one piece of advice take at most 3 % of the run's steps, or 20 steps where that
/// is more: two runs of two fifths each, on the rows that the run would have taken next, and a line search. None where
/// the rows are not read yet. The arguments must live as long as the trials.
[[nodiscard]] std::optional<Trials> trials_of(MakeTrainer make, const Optimizer& optimizer, const Dataset& training,
                                              const FitOptions& run, State end);

}  // namespace thalweg
