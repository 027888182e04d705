// AdaHessian: Adam with the diagonal of the Hessian in place of the gradient's squares (Yao et al. 2021).

#include "optim/asks.hpp"
#include "optim/axes.hpp"
#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdahessianOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
       {"beta2", &o.beta2, "decay of the running mean of the squared diagonal", below_one},
       {"eps", &o.eps, "added to the root of the mean square", positive},
       {"power", &o.power,
        "exponent of the curvature that divides the step; 1 divides by the curvature, as Newton's method does",
        unit_interval},
       {"every", &o.every, "steps between two estimates of the diagonal", {.low = 1}}});
}

namespace {

/// Replaces the curvature in each kernel of a convolution, (height, width, inputs, outputs), by the kernel's mean.
Var smoothed(const Var& diagonal) {
  if (diagonal.rank() != 4) return diagonal;
  return broadcast_to(mean(abs(diagonal), {0, 1}, Keep::yes), diagonal.shape());
}

Var direction(Update& u, const AdahessianOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(smoothed(u["diagonal"])), b2);
  const Var root = sqrt(u["v"] / (1 - pow(b2, t)));
  const Var size = (o.power == 1 ? root : pow(root, o.power)) + u.scalar("eps", o.eps);
  return u["m"] / (1 - pow(b1, t)) / size;
}

}  // namespace

Optimizer adahessian(AdahessianOptions o) {
  Optimizer chain = framed("adahessian", o, Decay::decoupled,
                           {{.name = "adahessian",
                             .slots = {{"m", 0.0}, {"v", 0.0}, {.name = "diagonal"}},
                             .rule = with(direction, o),
                             .per_parameter = true,
                             .needs_method = true}});
  return asking(std::move(chain), {.diagonal = Need::curvature, .diagonal_every = o.every}, "adahessian");
}

std::vector<OptimizerRow> adahessian_methods() {
  return {row(adahessian,
              {.name = "adahessian",
               .summary = "Adam with the diagonal of the Hessian in place of the gradient's squares",
               .formula = "D = z (H z), z random signs, its mean over each kernel of a convolution; v = beta2 v + (1 - "
                          "beta2) D^2; x -= lr m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t))^power + eps)",
               .when = "in place of Adam, where a good learning rate is hard to find; a step takes as long as two or "
                       "three of Adam's",
               .source = "Yao et al. 2021, with the defaults of its reference implementation",
               .passes = 0,
               .needs = {Need::gradient, Need::curvature}})};
}

}  // namespace thalweg::optim
