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
/// A step subtracts the rate times the weight decay times the parameter, whether the decay is coupled (plain descent)
/// or decoupled. So the decay is divided by the factor of the rate, and has the same effect at every width. Throws
/// UsageError for a method without known rules, and for coupled decay in a method that divides the gradient by its
/// size, as Adam does.
void add_width_rates(Optimizer& optimizer, const nn::WidthScaling& scaling);

}  // namespace thalweg
