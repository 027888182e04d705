// Muon: the momentum of each matrix, made orthogonal; AdamW for all other parameters (Jordan et al. 2024; as PyTorch's
// Muon).

#include <cmath>

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(MuonOptions& o) {
  return framed_fields(o, decoupled_doc,
                       {{"momentum", &o.momentum, "decay of the running mean of gradients of a matrix", below_one},
                        {"nesterov", &o.nesterov, "Nesterov momentum"},
                        {"iterations", &o.iterations, "number of Newton-Schulz iterations", {.low = 1}},
                        {"adam_lr_factor", &o.adam_lr_factor,
                         "AdamW's learning rate for parameters that are not matrices, as a multiple of lr", positive},
                        {"beta1", &o.beta1, "AdamW: decay of the running mean of gradients", below_one},
                        {"beta2", &o.beta2, "AdamW: decay of the running mean of squared gradients", below_one},
                        {"eps", &o.eps, "AdamW: added to the root, against division by zero", not_negative}});
}

namespace {

Shape unless_matrix(const Shape& shape) { return shape.rank() == 2 ? Shape{0} : shape; }

/// Approximates U V^T for x = U S V^T by a polynomial that drives the singular values to 1. The shorter side comes
/// first.
Var orthogonal(const Var& m, int iterations) {
  const bool tall = m.dim(0) > m.dim(1);
  Var x = tall ? transpose(m) : m;
  x = x / maximum(norm(x), 1e-7);
  for (int i = 0; i < iterations; ++i) {
    const Var a = matmul(x, x, false, true);
    x = 3.4445 * x + matmul(-4.7750 * a + 2.0315 * matmul(a, a), x);
  }
  return tall ? transpose(x) : x;
}

Var adam_direction(Update& u, const MuonOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), t = u.step();
  u["m"] = running_mean(u["m"], u.gradient, b1);
  u["v"] = running_mean(u["v"], square(u.gradient), b2);
  const Var root = sqrt(u["v"]) * (1 / sqrt(1 - pow(b2, t))) + u.scalar("eps", o.eps);
  return u["m"] * (o.adam_lr_factor / (1 - pow(b1, t))) / root;
}

Var direction(Update& u, const MuonOptions& o) {
  if (u.gradient.rank() != 2) return adam_direction(u, o);
  const Var momentum = u.scalar("momentum", o.momentum);
  u["m"] = running_mean(u["m"], u.gradient, momentum);
  const Var ahead = o.nesterov ? running_mean(u.gradient, u["m"], 1 - momentum) : u["m"];
  const double outputs = static_cast<double>(u.gradient.dim(1)), inputs = static_cast<double>(u.gradient.dim(0));
  return orthogonal(ahead, o.iterations) * std::sqrt(std::max(1.0, outputs / inputs));
}

}  // namespace

Optimizer muon(MuonOptions o) {
  return framed("muon", o, Decay::decoupled,
                {{.name = "muon",
                  .slots = {{"m", 0.0}, {.name = "v", .shape = unless_matrix}},
                  .rule = with(direction, o),
                  .per_parameter = true}});
}

std::vector<OptimizerRow> muon_methods() {
  return {row(
      muon,
      {.name = "muon",
       .summary = "the momentum of each matrix, made orthogonal; AdamW for all other parameters",
       .formula = "m = momentum m + (1 - momentum) g; x -= lr sqrt(max(1, outputs/inputs)) U V^T, where m = U S V^T",
       .when = "hidden layers of large networks; leave embeddings and the last layer to a group with AdamW",
       .source = "Jordan et al. 2024; as PyTorch's Muon",
       .passes = 0})};
}

}  // namespace thalweg::optim
