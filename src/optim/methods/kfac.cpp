// K-FAC: the natural gradient by Kronecker factors of each layer (Martens and Grosse 2015, Grosse and Martens 2016).

#include "ops/symmetric.hpp"
#include "optim/asks.hpp"
#include "optim/axes.hpp"
#include "optim/row.hpp"
#include "thalweg/natural_gradient.hpp"

namespace thalweg::optim {

Fields fields(KfacOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"momentum", &o.momentum, "momentum of the steps: buf = momentum buf + step", below_one},
       {"damping", &o.damping, "added to the diagonal of a layer's Fisher matrix, split between its two factors",
        positive},
       {"kl_clip", &o.kl_clip, "largest lr^2 <step, gradient> over all layers; 0 is no limit", not_negative},
       {"decay", &o.decay, "decay of the running means of the factors; the k-th estimate has a weight of at least 1/k",
        below_one},
       {"every",
        &o.every,
        "steps between two estimates of the factors; each takes a gradient with drawn labels",
        {.low = 1}},
       {"inverse_every", &o.inverse_every, "steps between two computations of the inverses (in f64)", {.low = 1}},
       {"max_size", &o.max_size, "most inputs, and most outputs, of a layer that has factors", {.low = 1}},
       {"adam_lr_factor", &o.adam_lr_factor, "Adam's learning rate for parameters without factors, as a multiple of lr",
        positive},
       {"beta1", &o.beta1, "Adam: decay of the running mean of gradients", below_one},
       {"beta2", &o.beta2, "Adam: decay of the running mean of squared gradients", below_one},
       {"eps", &o.eps, "Adam: added to the root, against division by zero", not_negative}});
}

namespace {

// The rules below see a layer with factors as a matrix (inputs, outputs), and any other parameter as a vector.

Var adam_direction(Update& u, const KfacOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  const Var root = sqrt(u["v"]) * (1 / sqrt(1 - pow(b2, t))) + u.scalar("eps", o.eps);
  return u["m"] * (o.adam_lr_factor / (1 - pow(b1, t))) / root;
}

/// The mean of a factor's diagonal in f64, and at least 1e-30, whose root is not 0 in f32.
Var mean_diagonal(const Var& factor) {
  const std::int64_t n = factor.dim(0);
  return maximum(cast(mean(slice(reshape(factor, Shape{n * n}), 0, n * n, 0, n + 1)), f64), 1e-30);
}

/// Inverses of A + pi sqrt(damping) I and G + sqrt(damping) / pi I. (Martens and Grosse 2015, section 6.3)
void invert(Update& u, const KfacOptions& o) {
  const Var due = is_due(u.step(), 1, o.inverse_every), root = sqrt(u.scalar("damping", o.damping));
  const Var pi = sqrt(mean_diagonal(u["input_factor"]) / mean_diagonal(u["output_factor"]));
  u["input_inverse"] = damped_inverse(u["input_factor"], u["input_inverse"], due, root * pi);
  u["output_inverse"] = damped_inverse(u["output_factor"], u["output_inverse"], due, root / pi);
}

Var layer_direction(Update& u, const KfacOptions& o) {
  invert(u, o);
  Var step = matmul(u["input_inverse"], matmul(u.gradient, u["output_inverse"]));
  if (o.kl_clip > 0) {
    const Var length = u.total(square(u.scalar("lr", o.lr)) * step * u.gradient);  // lr may differ from group to group
    step = step * minimum(sqrt(u.scalar("kl_clip", o.kl_clip) / maximum(length, 1e-30)), 1);
  }
  if (o.momentum == 0) return step;
  return u["momentum"] = u.scalar("momentum", o.momentum) * u["momentum"] + step;
}

Var direction(Update& u, const KfacOptions& o) {
  return u.gradient.rank() == 2 ? layer_direction(u, o) : adam_direction(u, o);
}

Shape layer_alone(const Shape& shape) { return shape.rank() == 2 ? shape : Shape{0}; }
Shape others_alone(const Shape& shape) { return shape.rank() == 2 ? Shape{0} : shape; }
Shape inputs_squared(const Shape& shape) { return shape.rank() == 2 ? Shape{shape[0], shape[0]} : Shape{0}; }
Shape outputs_squared(const Shape& shape) { return shape.rank() == 2 ? Shape{shape[1], shape[1]} : Shape{0}; }

}  // namespace

Optimizer kfac(KfacOptions o) {
  std::vector<Slot> slots = {{.name = "input_factor", .shape = inputs_squared},
                             {.name = "output_factor", .shape = outputs_squared},
                             {.name = "input_inverse", .shape = inputs_squared},
                             {.name = "output_inverse", .shape = outputs_squared},
                             {.name = "m", .shape = others_alone},
                             {.name = "v", .shape = others_alone}};
  if (o.momentum > 0) slots.push_back({.name = "momentum", .shape = layer_alone});
  Optimizer chain = framed("kfac", o, Decay::decoupled,
                           {{.name = "kfac",
                             .slots = std::move(slots),
                             .rule = with(direction, o),
                             .per_parameter = true,
                             .needs_method = true}});
  return asking(
      std::move(chain),
      {.factors = FactorAsks{.transform = "kfac", .every = o.every, .decay = o.decay, .max_size = o.max_size}}, "kfac");
}

std::vector<OptimizerRow> kfac_methods() {
  return {
      row(kfac,
          {.name = "kfac",
           .summary =
               "natural gradient of dense layers and convolutions by Kronecker factors; Adam for all other parameters",
           .formula = "A, G: running means of a a^T, s s^T; x -= lr c (A + pi r I)^-1 g (G + r/pi I)^-1, with a: the "
                      "inputs of a layer and a 1, s: the gradient at its outputs for labels drawn from the model, r = "
                      "sqrt(damping), c <= 1 by kl_clip",
           .when = "dense layers and convolutions with up to some hundreds of inputs, and a loss that has drawn "
                   "labels; where the gradient of a batch costs more than the method's matrix products",
           .source = "Martens and Grosse 2015; Grosse and Martens 2016 for convolutions; the clip of Ba et "
                     "al. 2017; pi from the mean diagonals",
           .passes = 0,
           .needs = {Need::gradient, Need::gradient}})};
}

}  // namespace thalweg::optim
