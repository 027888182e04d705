#pragma once
// The optimizers of the library. Each follows PyTorch 2.x where PyTorch has it, else the paper it names. In the
// formulas g is the gradient, x the parameters, t the step from 1. All have `lr` (multiplied by the schedule),
// `weight_decay`, `clip_norm` (0 is no limit), `noise` (as optim::add_noise; 0 is none) and `maximize`.

#include "thalweg/optim.hpp"

namespace thalweg::optim {

struct SgdOptions {
  double lr = 1e-3;  ///< PyTorch's default; the best rate differs from problem to problem
  double momentum = 0, dampening = 0, weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  bool nesterov = false, maximize = false;
  Schedule schedule = {};
};
/// buf = momentum buf + (1 - dampening) g, x -= lr buf; coupled decay g + weight_decay x. As PyTorch's SGD.
Optimizer sgd(SgdOptions options = {});

struct AsgdOptions {
  double lr = 1e-2, shrink = 1e-4, power = 0.75, start = 1e6, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// x -= lr/(1 + shrink lr (t-1))^power (g + shrink x), and the mean of x from `start` on, to evaluate with. (Polyak and
/// Juditsky 1992; as PyTorch's ASGD, whose lambd, alpha and t0 these are)
Optimizer asgd(AsgdOptions options = {});

struct RpropOptions {
  double lr = 1e-2, shrink = 0.5, grow = 1.2, min_step = 1e-6, max_step = 50, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// A step size for each element, at first lr; it grows while the gradient keeps its sign and shrinks where the sign
/// changes. For whole-batch gradients. (Riedmiller and Braun 1993; as PyTorch's Rprop)
Optimizer rprop(RpropOptions options = {});

struct AdagradOptions {
  double lr = 1e-2, lr_decay = 0, initial_accumulator = 0, eps = 1e-10, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// sum += g^2; x -= lr/(1 + (t-1) lr_decay) g / (sqrt(sum) + eps). (Duchi et al. 2011; as PyTorch's Adagrad)
Optimizer adagrad(AdagradOptions options = {});

struct RmspropOptions {
  double lr = 1e-2, alpha = 0.99, eps = 1e-8, momentum = 0, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool centered = false, maximize = false;
  Schedule schedule = {};
};
/// v = alpha v + (1 - alpha) g^2; x -= lr g / (sqrt(v) + eps). (Hinton 2012; as PyTorch's RMSprop)
Optimizer rmsprop(RmspropOptions options = {});

struct AdadeltaOptions {
  double lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// x -= lr g sqrt(d + eps)/sqrt(v + eps), d and v running means of squared steps and gradients. (Zeiler 2012; as
/// PyTorch's Adadelta)
Optimizer adadelta(AdadeltaOptions options = {});

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool amsgrad = false, bias_correction = true, maximize = false;
  Schedule schedule = {};
};
/// x -= lr m/(1 - beta1^t) / (sqrt(v)/sqrt(1 - beta2^t) + eps); coupled decay. (Kingma and Ba 2015, as PyTorch's Adam)
Optimizer adam(AdamOptions options = {});

struct AdamwOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 1e-2, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool amsgrad = false, bias_correction = true, maximize = false;
  Schedule schedule = {};
};
/// Adam with decoupled decay, x -= lr weight_decay x. (Loshchilov and Hutter 2019)
Optimizer adamw(AdamwOptions options = {});

struct AdamaxOptions {
  double lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// n = max(beta2 n, |g| + eps); x -= lr m/(1 - beta1^t) / n. (Kingma and Ba 2015, section 7; as PyTorch's Adamax)
Optimizer adamax(AdamaxOptions options = {});

struct NadamOptions {
  double lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, momentum_decay = 4e-3, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam with Nesterov's look ahead; mu(t) = beta1 (1 - 0.96^(t momentum_decay)/2). (Dozat 2016; as PyTorch's NAdam)
Optimizer nadam(NadamOptions options = {});

struct RadamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam without the second moment while the variance of that moment is large. (Liu et al. 2020; as PyTorch's RAdam)
Optimizer radam(RadamOptions options = {});

struct AdabeliefOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-16, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam with s = beta2 s + (1 - beta2)(g - m)^2 + eps in place of v; decoupled decay. (Zhuang et al. 2020)
Optimizer adabelief(AdabeliefOptions options = {});

struct YogiOptions {
  double lr = 1e-2, beta1 = 0.9, beta2 = 0.999, eps = 1e-3, initial_accumulator = 1e-6, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// v -= (1 - beta2) sign(v - g^2) g^2; x -= lr m / (sqrt(v) + eps); decoupled decay. (Zaheer et al. 2018)
Optimizer yogi(YogiOptions options = {});

struct LambOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-6, weight_decay = 0.01, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// r = Adam's direction + weight_decay x; x -= lr |x|/|r| r, norms of each parameter. (You et al. 2020)
Optimizer lamb(LambOptions options = {});

struct LarsOptions {
  double lr = 0;  ///< must be given
  double momentum = 0.9, trust = 1e-3, weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// buf = momentum buf + lr trust |x|/(|g| + weight_decay |x|) (g + weight_decay x); x -= buf. (You et al. 2017)
Optimizer lars(LarsOptions options);

struct LionOptions {
  double lr = 1e-4, beta1 = 0.9, beta2 = 0.99, weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0,
         noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// x -= lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g; decoupled decay. (Chen et al. 2023)
Optimizer lion(LionOptions options = {});

struct SignumOptions {
  double lr = 1e-4, momentum = 0.9, weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// m = momentum m + (1 - momentum) g; x -= lr sign(m); decoupled decay. (Bernstein et al. 2018)
Optimizer signum(SignumOptions options = {});

struct AdafactorOptions {
  double lr = 1e-2, beta2_decay = -0.8, eps1 = 0, eps2 = 1e-3, clip_threshold = 1, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam's second moment kept as row and column means; steps relative to the size of the parameter. eps1 = 0 is the
/// dtype's epsilon; decoupled decay. (Shazeer and Stern 2018; as PyTorch's Adafactor)
Optimizer adafactor(AdafactorOptions options = {});

struct FtrlOptions {
  double lr = 0.1, beta = 1, l1 = 0, l2 = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// x = -(z - sign(z) l1) / ((beta + sqrt(n))/lr + l2), and 0 where |z| <= l1. (McMahan et al. 2013, algorithm 1; z
/// begins so that the formula gives the initial x)
Optimizer ftrl(FtrlOptions options = {});

struct AdanOptions {
  double lr = 1e-3, beta1 = 0.98, beta2 = 0.92, beta3 = 0.99, eps = 1e-8, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// x = (x - lr (m + beta2 d)/(sqrt(n) + eps)) / (1 + lr weight_decay); d is the running mean of differences of
/// gradients. (Xie et al. 2022; with the bias corrections of its reference implementation)
Optimizer adan(AdanOptions options = {});

struct AdemamixOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, beta3 = 0.9999, alpha = 5, eps = 1e-8, weight_decay = 0, clip_norm = 0,
         clip_value = 0, clip_ratio = 0, noise = 0;
  std::int64_t warmup = 0;  ///< steps in which alpha and beta3 rise to their values
  bool maximize = false;
  Schedule schedule = {};
};
/// Adam with a second, slow running mean: x -= lr (m1/(1 - beta1^t) + alpha m2) / (sqrt(v/(1 - beta2^t)) + eps);
/// decoupled decay. (Pagliardini et al. 2024)
Optimizer ademamix(AdemamixOptions options = {});

struct AdoptOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.9999, eps = 1e-6, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// m = beta1 m + (1 - beta1) clip(g/max(sqrt(v), eps), (t-1)^(1/4)); x -= lr m; then v. The first step only sets v.
/// Decoupled decay. (Taniguchi et al. 2024)
Optimizer adopt(AdoptOptions options = {});

struct ScheduleFreeSgdOptions {
  double lr = 1, momentum = 0.9, weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  std::int64_t warmup = 0;  ///< steps in which lr rises from 0
  bool maximize = false;
  Schedule schedule = {};
};
/// z -= lr g(y); x = mean of z; y = momentum x + (1 - momentum) z. Steps y, evaluates with x. (Defazio et al. 2024)
Optimizer schedule_free_sgd(ScheduleFreeSgdOptions options = {});

struct ScheduleFreeAdamwOptions {
  double lr = 2.5e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 0, clip_value = 0,
         clip_ratio = 0, noise = 0;
  std::int64_t warmup = 0;
  bool maximize = false;
  Schedule schedule = {};
};
/// The same with Adam's second moment; decay at y. (Defazio et al. 2024, as its reference implementation)
Optimizer schedule_free_adamw(ScheduleFreeAdamwOptions options = {});

struct ProdigyOptions {
  double lr = 1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, d0 = 1e-6, d_factor = 1, growth = 0;
  double beta3 = 0;  ///< 0 is sqrt(beta2)
  double weight_decay = 0, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  bool bias_correction = false, safeguard_warmup = false, maximize = false;
  Schedule schedule = {};
};
/// Adam whose rate is an estimate d of the distance to the solution; lr is a factor of it. growth is the largest ratio
/// of d to the d before it; 0 is no limit. Decoupled decay. (Mishchenko and Defazio 2024)
Optimizer prodigy(ProdigyOptions options = {});

struct MuonOptions {
  double lr = 1e-3, momentum = 0.95, weight_decay = 0.1, clip_norm = 0, clip_value = 0, clip_ratio = 0, noise = 0;
  int iterations = 5;
  double adam_lr_factor = 1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  ///< of AdamW, for other parameters
  bool nesterov = true, maximize = false;
  Schedule schedule = {};
};
/// The momentum of each matrix, made orthogonal by Newton-Schulz iterations, times sqrt(max(1, outputs/inputs)); AdamW
/// for all other parameters. Decoupled decay. (Jordan et al. 2024; as PyTorch's Muon)
Optimizer muon(MuonOptions options = {});

struct LookaheadOptions {
  OptionMap optimizer = {{"kind", {std::string("adamw")}}};  ///< the fast method, as in a configuration
  std::int64_t every = 5;
  double mix = 0.5;
};
/// Every few steps of a fast method, slow weights move part of the way to its weights, and the fast method continues
/// from the slow weights. (Zhang et al. 2019)
Optimizer lookahead(LookaheadOptions options = {});
Optimizer lookahead(Optimizer fast, std::int64_t every = 5, double mix = 0.5);

}  // namespace thalweg::optim
