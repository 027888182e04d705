#pragma once
// Optimizers that keep a matrix for each axis of a parameter, and optimizers that ask for more than one gradient a
// step.

#include "thalweg/optimizers.hpp"

namespace thalweg::optim {

struct ShampooOptions {
  double lr = 0.1, momentum = 0.9, beta = 1, eps = 1e-4, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  std::int64_t every = 20, max_size = 1024;
  bool maximize = false;
  Schedule schedule = {};
};
/// L += g g^T, R += g^T g, x -= lr (L + eps I)^(-1/4) g (R + eps I)^(-1/4) for a matrix; a tensor of k axes has a
/// matrix for each, with the root -1/(2k). A vector, and an axis longer than max_size, has the diagonal. Decoupled
/// decay. (Gupta, Koren and Singer 2018, algorithms 1 and 2)
Optimizer shampoo(ShampooOptions options = {});

struct SoapOptions {
  double lr = 3e-3, beta1 = 0.95, beta2 = 0.95, eps = 1e-8, weight_decay = 1e-2, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  std::int64_t every = 10, max_size = 1024;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam's second moment in the eigenvectors of Shampoo's matrices, which are turned every few steps. The first step
/// moves nothing. Vectors are stepped as by Adam. Decoupled decay. (Vyas et al. 2024)
Optimizer soap(SoapOptions options = {});

}  // namespace thalweg::optim
