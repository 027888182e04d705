// SOAP: Adam in the eigenvectors of Shampoo's matrices (Vyas et al. 2024).

#include "ops/symmetric.hpp"
#include "optim/axes.hpp"
#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(SoapOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"beta1", &o.beta1, "decay of the running mean of gradients", below_one},
       {"beta2", &o.beta2, "decay of the running means of squared gradients and of outer products", below_one},
       {"eps", &o.eps, "added to the root of the mean square", positive},
       {"every", &o.every, "steps between two updates of the eigenvectors", {.low = 1}},
       {"max_size", &o.max_size, "longest axis that has a matrix; a longer axis is not rotated", {.low = 1}}});
}

namespace {

/// x in the basis of eigenvectors of every axis that has them, or back from that basis.
Var turned(Update& u, const SoapOptions& o, Var x, bool back) {
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis_kind(x.shape(), axis, o.max_size) == AxisKind::matrix)
      x = times_along(u[axis_slot("basis", axis)], !back, x, axis);
  }
  return x;
}

/// Updates the eigenvectors with this gradient; the next step uses them.
void turn_basis(Update& u, const SoapOptions& o, const Var& first) {
  const Var due = is_due(u.step(), o.every + 1, o.every);
  for (int axis = 0; axis < u.gradient.rank(); ++axis) {
    if (axis_kind(u.gradient.shape(), axis, o.max_size) != AxisKind::matrix) continue;
    Var &factor = u[axis_slot("factor", axis)], &basis = u[axis_slot("basis", axis)];
    factor = running_mean(factor, outer_along(u.gradient, axis), u.scalar("beta2", o.beta2));
    basis = eigenvectors(factor, basis, first);
    basis = orthogonal_iteration(factor, basis, due);
  }
}

Var direction(Update& u, const SoapOptions& o) {
  const Var b1 = u.scalar("beta1", o.beta1), b2 = u.scalar("beta2", o.beta2), eps = u.scalar("eps", o.eps);
  const Var first = equal(u.step(), 1), t = maximum(u.step() - 1, 1);
  // the first gradient only gives the eigenvectors: a step never uses eigenvectors of its own gradient
  u["m"] = where(first, u["m"], running_mean(u["m"], u.gradient, b1));
  u["v"] = where(first, u["v"], running_mean(u["v"], square(turned(u, o, u.gradient, false)), b2));
  const Var scaled = turned(u, o, u["m"], false) / (sqrt(u["v"]) + eps);
  const Var step = turned(u, o, scaled, true) * (sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)));
  turn_basis(u, o, first);
  return step;
}

}  // namespace

Optimizer soap(SoapOptions o) {
  std::vector<Slot> slots = {{"m", 0.0}, {"v", 0.0}};
  for (const auto& more : {matrix_slots("factor", o.max_size), matrix_slots("basis", o.max_size)})
    slots.insert(slots.end(), more.begin(), more.end());
  return framed("soap", o, Decay::decoupled,
                {{.name = "soap", .slots = std::move(slots), .rule = with(direction, o), .per_parameter = true}});
}

std::vector<OptimizerRow> soap_methods() {
  return {row(soap,
              {.name = "soap",
               .summary = "Adam in the basis of eigenvectors of Shampoo's matrices",
               .formula = "L, R: running means of g g^T, g^T g; Q, P their eigenvectors; v of (Q^T g P)^2; x -= lr "
                          "sqrt(1 - beta2^t)/(1 - beta1^t) Q (Q^T m P / (sqrt(v) + eps)) P^T, t does not count the "
                          "first step, which changes no parameter",
               .when = "in place of AdamW, where the gradient of a batch costs more than the method's matrix products",
               .source = "Vyas et al. 2024, algorithm 3, with the first step and bias corrections of its reference "
                         "implementation; eigenvectors updated by one step of orthogonal iteration",
               .passes = 0})};
}

}  // namespace thalweg::optim
