// Shampoo: the gradient times inverse roots of matrices, one matrix for each axis (Gupta, Koren and Singer 2018).

#include "ops/symmetric.hpp"
#include "optim/axes.hpp"
#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(ShampooOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"momentum", &o.momentum, "momentum of the steps: buf = momentum buf + step", below_one},
       {"beta",
        &o.beta,
        "decay of the sums of outer products; 1 sums all of them, as the paper does",
        {.low = 0, .high = 1, .low_open = true}},
       {"eps", &o.eps, "added to each eigenvalue before its root is taken", positive},
       {"every", &o.every, "steps between two computations of the roots (from eigenvectors, in f64)", {.low = 1}},
       {"max_size", &o.max_size, "longest axis that has a matrix; a longer axis has only a diagonal", {.low = 1}}});
}

namespace {

/// beta h + (1 - beta) x, or h + x where beta is 1.
Var gathered(Update& u, const ShampooOptions& o, const std::string& slot, const Var& x) {
  return u[slot] = o.beta < 1 ? running_mean(u[slot], x, u.scalar("beta", o.beta)) : u[slot] + x;
}

Var direction(Update& u, const ShampooOptions& o) {
  const Var g = u.gradient, due = is_due(u.step(), 1, o.every);
  const int order = order_of(g.shape());
  Var d = g;
  for (int axis = 0; axis < g.rank(); ++axis) {
    const std::string factor = axis_slot("factor", axis), diagonal = axis_slot("diagonal", axis);
    switch (axis_kind(g.shape(), axis, o.max_size)) {
      case AxisKind::none: break;
      case AxisKind::diagonal:
        d = d * pow(gathered(u, o, diagonal, squares_along(g, axis)) + o.eps, -0.5 / order);
        break;
      case AxisKind::matrix: {
        const Var sums = gathered(u, o, factor, outer_along(g, axis));
        Var& root = u[axis_slot("root", axis)];
        root = inverse_root(sums, root, due, 2 * order, o.eps);
        d = times_along(root, false, d, axis);
      }
    }
  }
  if (o.momentum == 0) return d;
  return u["momentum"] = u.scalar("momentum", o.momentum) * u["momentum"] + d;
}

}  // namespace

Optimizer shampoo(ShampooOptions o) {
  std::vector<Slot> slots = matrix_slots("factor", o.max_size);
  for (const auto& more : {matrix_slots("root", o.max_size), diagonal_slots("diagonal", o.max_size)})
    slots.insert(slots.end(), more.begin(), more.end());
  if (o.momentum > 0) slots.push_back({"momentum", 0.0});
  return framed("shampoo", o, Decay::decoupled,
                {{.name = "shampoo", .slots = std::move(slots), .rule = with(direction, o), .per_parameter = true}});
}

std::vector<OptimizerRow> shampoo_methods() {
  return {
      row(shampoo, {.name = "shampoo",
                    .summary = "the gradient times inverse roots of matrices, one matrix for each axis of a parameter",
                    .formula = "L += g g^T; R += g^T g; x -= lr (L + eps I)^(-1/4) g (R + eps I)^(-1/4); for k axes "
                               "the exponent is -1/(2k); a vector has g^2 in place of a matrix",
                    .when = "layers with axes of up to some hundreds of elements, where Adam needs too many steps",
                    .source = "Gupta, Koren and Singer 2018, algorithms 1 and 2, with a diagonal for long axes",
                    .passes = 0})};
}

}  // namespace thalweg::optim
