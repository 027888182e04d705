#pragma once
// Optimizers that step along the natural gradient.

#include "thalweg/optimizers.hpp"

namespace thalweg::optim {

struct KfacOptions {
  double lr = 0.01, momentum = 0.9, damping = 0.03, kl_clip = 1e-3, decay = 0.95, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  std::int64_t every = 5, inverse_every = 20, max_size = 1024;
  double adam_lr_factor = 0.1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool maximize = false;
  Schedule schedule = {};
};
/// Natural gradient by Kronecker factors, A^-1 g G^-1, for each dense layer and convolution that is called once. g has
/// a row for each input and one for the bias. A is the mean of a a^T over the inputs a of the layer (with a 1 for the
/// bias; for a convolution, the patches under its filter). G is the mean of s s^T, where s is the derivative of -log
/// p(y) by the layer's output, with labels y drawn from the model. Both are running means, with a new estimate every
/// `every` steps. A + pi sqrt(damping) I and G + sqrt(damping) / pi I are inverted every `inverse_every` steps, where
/// pi^2 is the ratio of their mean diagonals. The step is shortened if lr^2 <step, g> over all layers is more than
/// kl_clip; then momentum is applied. Other parameters, and layers with more inputs or outputs than max_size, are
/// updated by Adam with the rate adam_lr_factor lr. For models with a loss that is -log p(y); docs/curvature.md lists
/// them. Decoupled decay. (Martens and Grosse 2015; convolutions: Grosse and Martens 2016; clip: Ba et al. 2017)
Optimizer kfac(KfacOptions options = {});

}  // namespace thalweg::optim
