#pragma once
// The rates of a model whose widths are scaled by the maximal-update rules.

#include "thalweg/nn.hpp"
#include "thalweg/optim.hpp"

namespace thalweg {

/// Adds the groups that give each parameter its rate (Yang et al. 2021, table 8, with the output divided by m), where
/// m = ratio:
///
///   parameters                          methods that scale each element   plain descent
///   with a width on both sides          lr / m                            lr
///   with one: input, biases, output     lr                                lr m
///   with none                           lr                                lr
///
/// A step takes the rate times the weight decay off a parameter, coupled with plain descent's gradient or apart from
/// it: where the rate is multiplied, the decay is divided, and takes as much of every parameter at every width. Throws
/// UsageError for a method of which the rules are not known, and for decay that is coupled with a gradient which the
/// method divides by its size, as Adam's is.
void add_width_rates(Optimizer& optimizer, const nn::WidthScaling& scaling);

}  // namespace thalweg
