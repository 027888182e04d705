#pragma once
// Optimizers that own their steps: they evaluate values and derivatives at points that they choose, and have no
// learning rate. They are for functions (`minimize`), and for training on all rows at once.

#include "thalweg/method.hpp"
#include "thalweg/optim.hpp"

namespace thalweg::optim {

struct GradientDescentOptions {
  std::string line_search = "armijo";  ///< or "wolfe"
  double decrease = 1e-4, curvature = 0.9;
  std::int64_t evaluations = 30;
};
/// x -= t g, with t from a line search that begins with the t of the last step. (Cauchy 1847; Armijo 1966)
Optimizer gradient_descent(GradientDescentOptions options = {});

struct LbfgsOptions {
  std::int64_t history = 10;
  double decrease = 1e-4, curvature = 0.9;
  std::int64_t evaluations = 20;
};
/// x += t d with d = -H g, H the inverse Hessian as estimated from the last pairs s = x' - x and y = g' - g; pairs with
/// s'y <= epsilon y'y are left out. With bounds it is L-BFGS-B. (Liu and Nocedal 1989; Byrd, Lu, Nocedal and Zhu 1995)
Optimizer lbfgs(LbfgsOptions options = {});

struct NonlinearCgOptions {
  std::string beta = "polak_ribiere";  ///< or "fletcher_reeves"
  double decrease = 1e-4, curvature = 0.1;
  std::int64_t evaluations = 20;
};
/// d = -g + beta d, with beta = max(0, g'(g' - g)/g'g) of Polak and Ribiere, or g'g'/gg of Fletcher and Reeves. It
/// restarts with d = -g after as many steps as there are elements, and where d is not a descent direction. (Nocedal and
/// Wright 2006, section 5.2)
Optimizer nonlinear_cg(NonlinearCgOptions options = {});

struct NewtonCgOptions {
  double radius = 1, largest_radius = 1e3;  ///< radius of the trust region: initial and largest
  double accept = 0.1;                      ///< fraction of the predicted decrease that a step must reach
  std::int64_t iterations = 0;              ///< conjugate-gradient iterations per step; 0: at most 2 n + 10
};
/// The quadratic model's minimum in a trust region, by conjugate gradients that stop at negative curvature (Steihaug
/// 1983). If the gradient vanishes, Lanczos's method searches a direction of negative curvature, and the next step
/// follows it. So the method leaves saddles.
Optimizer newton_cg(NewtonCgOptions options = {});

struct GaussNewtonOptions {
  std::string solver = "auto";  ///< "dense": residuals and QR; "products": conjugate gradients; "auto": either
  double decrease = 1e-4;
  std::int64_t iterations = 0;  ///< conjugate-gradient iterations per step; 0: at most 2 n + 10
};
/// s minimises |r + J s|^2; then a line search along s. (Gauss 1809; Nocedal and Wright 2006, section 10.3)
Optimizer gauss_newton(GaussNewtonOptions options = {});

struct LevenbergMarquardtOptions {
  std::string solver = "auto";  ///< as for gauss_newton
  double damping = 1e-3;        ///< lambda of the first step
  bool acceleration = true;     ///< only for "dense": correct steps by the second derivative
  std::int64_t iterations = 0;
};
/// s minimises |r + J s|^2 + lambda |D s|^2. lambda is adapted by how well the model predicted the decrease; see
/// `least_squares`. With the solver "products" D is the identity, and any loss on a model's output is possible.
/// (Levenberg 1944; Marquardt 1963)
Optimizer levenberg_marquardt(LevenbergMarquardtOptions options = {});

}  // namespace thalweg::optim
