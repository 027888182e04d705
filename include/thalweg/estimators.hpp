#pragma once
// Gradients through choices. Where a value is drawn or rounded, its derivative is zero or does not exist; these
// estimators replace it. Noise is an argument, so that the caller decides the source of the random numbers.

#include "thalweg/var.hpp"

namespace thalweg {

/// The value of `hard` with the derivative of `soft`, of the same shape (Bengio et al. 2013). The gradient is biased:
/// it is that of a function of `soft`, evaluated at `hard`. It is exact if all later functions are linear and E[hard] =
/// soft.
Var straight_through(const Arg& hard, const Arg& soft);

/// -log(-log u): standard Gumbel noise from uniform noise in [0, 1).
Var gumbel_noise(const Arg& uniform);
/// softmax((logits + gumbel_noise(uniform)) / temperature) along the last axis: nearly one-hot at a low temperature,
/// and on average softmax(logits) in the limit of temperature 0 (Jang et al. 2017, Maddison et al. 2017). The gradient
/// is unbiased for the relaxed value; for the choice itself its bias goes to 0 with the temperature, while its variance
/// grows.
Var gumbel_softmax(const Arg& logits, const Arg& uniform, double temperature = 1);
/// A one-hot choice, with the derivative of gumbel_softmax (straight through). It is drawn exactly from
/// softmax(logits); the gradient is biased.
Var gumbel_choice(const Arg& logits, const Arg& uniform, double temperature = 1);

/// (reward - baseline) log_probability, where only log_probability is differentiated. The mean of its gradients is the
/// gradient of the expected reward (Williams 1992, REINFORCE). Unbiased for every baseline that does not depend on the
/// sample; a good one reduces the variance. To maximise the reward, minimise the negative of this.
Var score_function(const Arg& log_probability, const Arg& reward, const Arg& baseline = 0);
/// For each of n >= 2 rewards (..., n) the mean of the others along the last axis: a baseline that needs no model (Kool
/// et al. 2019).
Var leave_one_out(const Arg& rewards);

}  // namespace thalweg
