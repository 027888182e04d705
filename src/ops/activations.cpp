// Activations made of other ops; fusion makes each of them one pass. Errors and nodes name the line of the call.

#include <cmath>
#include <numbers>

#include "graph/users_line.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Var relu6(const Arg& x) {
  const UsersLine line(x.source());
  return where(x >= 6, 6, relu(x));  // unlike that of clamp, its derivative is 0 on the borders
}
Var leaky_relu(const Arg& x, double slope) {
  const UsersLine line(x.source());
  return where(x > 0, x, slope * x);
}
Var prelu(const Arg& x, const Arg& slope) {
  const UsersLine line(x.source());
  return where(x > 0, x, slope * x);
}
// The argument of expm1 is kept <= 0: the branch that is not chosen must not overflow either.
Var elu(const Arg& x, double alpha) {
  const UsersLine line(x.source());
  const Var above = x > 0;
  return where(above, x, alpha * expm1(where(above, 0, x)));
}
Var selu(const Arg& x) {
  const UsersLine line(x.source());
  constexpr double alpha = 1.6732632423543772, scale = 1.0507009873554805;
  return scale * elu(x, alpha);
}
Var gelu(const Arg& x) {
  const UsersLine line(x.source());
  return 0.5 * x * (1 + erf(x * (1 / std::numbers::sqrt2)));
}
Var silu(const Arg& x) {
  const UsersLine line(x.source());
  return x * sigmoid(x);
}
Var mish(const Arg& x) {
  const UsersLine line(x.source());
  return x * tanh(softplus(x));
}
Var softsign(const Arg& x) {
  const UsersLine line(x.source());
  // beyond 1 as a difference from 1: the terms of the derivative of a quotient would cancel, and inf / inf is NaN
  const Var size = abs(x), inner = clamp(x, -1, 1);
  return where(size > 1, sign(x) * (1 - 1 / (1 + size)), inner / (1 + abs(inner)));
}
Var hard_sigmoid(const Arg& x) {
  const UsersLine line(x.source());
  return relu6(x + 3) / 6;
}
Var hard_swish(const Arg& x) {
  const UsersLine line(x.source());
  const Var inner = clamp(x, -3, 3);  // no infinity times 0; the derivative on the borders is that of the middle
  return where(x > 3, x, inner * (inner / 6 + 0.5));
}
Var log_sigmoid(const Arg& x) {
  const UsersLine line(x.source());
  return -softplus(-x);
}

}  // namespace thalweg
