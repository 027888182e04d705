#pragma once
// Optimizers that keep a matrix for each axis of a parameter, and optimizers that need more than one gradient per step.

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
/// matrix for each, with the root -1/(2k). For vectors, and for axes longer than max_size, the matrix is diagonal.
/// Decoupled decay. (Gupta, Koren and Singer 2018, algorithms 1 and 2)
Optimizer shampoo(ShampooOptions options = {});

struct SoapOptions {
  double lr = 3e-3, beta1 = 0.95, beta2 = 0.95, eps = 1e-8, weight_decay = 1e-2, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  std::int64_t every = 10, max_size = 1024;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam in the basis of the eigenvectors of Shampoo's matrices, which are updated every few steps. The first step
/// changes no parameter. Vectors are updated as by Adam. Decoupled decay. (Vyas et al. 2024)
Optimizer soap(SoapOptions options = {});

struct SophiaOptions {
  double lr = 1e-4, beta1 = 0.96, beta2 = 0.99, gamma = 0.05, eps = 1e-12, weight_decay = 0.1, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  std::string diagonal = "gauss_newton";  ///< or "hessian"
  std::int64_t every = 10;
  bool maximize = false;
  Schedule schedule = {};
};
/// x -= lr clip(m / max(gamma h, eps), 1), where h is the running mean of estimates of the diagonal of the curvature,
/// made every few steps. Decoupled decay. (Liu et al. 2023)
Optimizer sophia(SophiaOptions options = {});

struct AdahessianOptions {
  double lr = 0.15, beta1 = 0.9, beta2 = 0.999, eps = 1e-4, power = 1, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  std::int64_t every = 1;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam with z (H z) in place of the gradient in its second moment, where z has random signs. Decoupled decay. (Yao et
/// al. 2021)
Optimizer adahessian(AdahessianOptions options = {});

struct SamOptions {
  OptionMap optimizer = {{"kind", {std::string("sgd")}}, {"lr", {0.1}}, {"momentum", {0.9}}};
  double radius = 0.05;
  bool adaptive = false;
  double floor = 0.01;
};
/// The step of any optimizer with the gradient at x + e, where e has the gradient's direction and |e| = radius. It
/// needs two gradients of the same batch. (Foret et al. 2021; adaptive: Kwon et al. 2021)
Optimizer sam(SamOptions options = {});
Optimizer sam(Optimizer base, double radius = 0.05, bool adaptive = false, double floor = 0.01);

struct SvrgOptions {
  OptionMap optimizer = {{"kind", {std::string("sgd")}}, {"lr", {0.1}}};
  std::int64_t every = 0;  ///< number of steps; 0: one epoch
};
/// The step of any optimizer with g(x) - g(a) + mean g(a) as the gradient, which is exact where x = a (the anchor):
/// linear convergence on strongly convex finite sums. For Trainer::fit. (Johnson and Zhang 2013)
Optimizer svrg(SvrgOptions options = {});
Optimizer svrg(Optimizer base, std::int64_t every = 0);

}  // namespace thalweg::optim
