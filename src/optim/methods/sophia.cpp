// Sophia: the running mean of gradients divided by the curvature, element by element, in steps of bounded size (Liu et
// al. 2023).

#include "optim/asks.hpp"
#include "optim/axes.hpp"
#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(SophiaOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
       {"beta2", &o.beta2, "decay of the running mean of the curvature", below_one},
       {"gamma", &o.gamma, "the larger gamma, the fewer elements are clipped to the largest step", positive},
       {"eps", &o.eps, "lower limit of gamma h, which divides m", positive},
       {.name = "diagonal",
        .place = &o.diagonal,
        .doc = "the matrix whose diagonal is the curvature. gauss_newton: the Gauss-Newton matrix, whose diagonal is "
               "never negative for a convex loss; hessian: the Hessian; both are estimated by one product with random "
               "signs. drawn_labels: the Fisher matrix, from a gradient with labels drawn from the model, which is "
               "cheaper",
        .choices = {"gauss_newton", "hessian", "drawn_labels"}},
       {"every", &o.every, "steps between two estimates of the diagonal", {.low = 1}}});
}

namespace {

Var direction(Update& u, const SophiaOptions& o) {
  u["m"] = running_mean(u["m"], u.gradient, u.scalar("beta1", o.beta1));
  const Var due = is_due(u.step(), 1, o.every);
  u["h"] = where(due, running_mean(u["h"], u["diagonal"], u.scalar("beta2", o.beta2)), u["h"]);
  const Var curvature = maximum(u.scalar("gamma", o.gamma) * u["h"], u.scalar("eps", o.eps));
  return clamp(u["m"] / curvature, -1, 1);
}

}  // namespace

Optimizer sophia(SophiaOptions o) {
  Optimizer chain = framed("sophia", o, Decay::decoupled,
                           {{.name = "sophia",
                             .slots = {{"m", 0.0}, {"h", 0.0}, {.name = "diagonal"}},
                             .rule = with(direction, o),
                             .needs_method = true}});
  const Need matrix = o.diagonal == "hessian" ? Need::curvature : Need::gauss_newton;
  return asking(std::move(chain),
                {.diagonal = matrix, .diagonal_every = o.every, .drawn_labels = o.diagonal == "drawn_labels"},
                "sophia");
}

std::vector<OptimizerRow> sophia_methods() {
  return {row(sophia, {.name = "sophia",
                       .summary = "the running mean of gradients divided by the curvature, in steps of bounded size",
                       .formula = "h = beta2 h + (1 - beta2) z (G z), z random signs, every so many steps; x -= lr "
                                  "clip(m / max(gamma h, eps), 1)",
                       .when = "language models, in place of AdamW",
                       .source = "Liu et al. 2023, algorithm 3, with the estimator of algorithm 1 or (drawn_labels) 2",
                       .needs = {Need::gradient, Need::gauss_newton}})};
}

}  // namespace thalweg::optim
