#pragma once
// Optimizers whose rate is updated by its own gradient.

#include "thalweg/optimizers.hpp"

namespace thalweg::optim {

struct HypergradientOptions {
  double lr = 1e-3;  ///< the rate of the first step
  double hyper_lr = 0.02, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0, trust = 0;
  std::string method = "sgd";  ///< or "adam"
  bool multiplicative = true, maximize = false;
  Schedule schedule = {};
};
/// The rate is updated by the derivative of the loss with respect to the rate, -<g, d'>, where d' is the direction of
/// the step before: rate *= 1 + hyper_lr <g, d'> / (|g| |d'|), or without `multiplicative` rate += hyper_lr <g, d'>,
/// never below 0; x -= rate d. Here d is g, or Adam's direction. With `trust`, a rate above trust
/// max(|x|, 1e-3) / |d| is lowered to that value at once. A schedule is a factor of that rate. Coupled decay. (Baydin
/// et al. 2018, algorithms 4 and 6, and their multiplicative rule)
Optimizer hypergradient(HypergradientOptions options = {});

}  // namespace thalweg::optim
