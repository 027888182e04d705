// Gradient estimators for functions without a derivative: straight-through, Gumbel-softmax, score function.

#include "thalweg/estimators.hpp"

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "graph/users_line.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Var straight_through(const Arg& hard, const Arg& soft) {
  const Arg args[] = {hard, soft};
  Var value = as_vars("straight_through", args)[0];
  if (hard.is_number()) value = broadcast_to(cast(value, var_of(soft).dtype()), var_of(soft).shape());
  if (!(value.shape() == var_of(soft).shape()) || value.dtype() != var_of(soft).dtype()) {
    fail<UsageError>("[straight_through] {} {} and {} {}. Hint: both have the same dtype and shape.{}", value.dtype(),
                     value.shape(), var_of(soft).dtype(), var_of(soft).shape(), at(hard.source()));
  }
  return custom_derivative(
      {var_of(soft)}, [value](std::span<const Var>) { return value; },
      [](std::span<const Var>, Var, Var g) { return std::vector<Var>{g}; }, hard.source());
}

Var gumbel_noise(const Arg& uniform) {
  // the smallest normal f32 instead of 0, whose logarithm would not be finite
  return -log(-log(maximum(uniform, 1.1754943508222875e-38)));
}

Var gumbel_softmax(const Arg& logits, const Arg& uniform, double temperature) {
  if (!(temperature > 0)) {
    fail<UsageError>("[gumbel_softmax] temperature = {}. Wanted: > 0.{}", temperature, at(logits.source()));
  }
  const UsersLine line(logits.source());
  return softmax((logits + gumbel_noise(uniform)) / temperature);
}

Var gumbel_choice(const Arg& logits, const Arg& uniform, double temperature) {
  const Var soft = gumbel_softmax(logits, uniform, temperature);
  return straight_through(one_hot(argmax(soft), soft.dim(-1), soft.dtype()), soft);
}

Var score_function(const Arg& log_probability, const Arg& reward, const Arg& baseline) {
  const UsersLine line(log_probability.source());
  return stop_gradient(reward - baseline) * log_probability;
}

Var leave_one_out(const Arg& rewards) {
  const Var r = var_of(rewards);
  if (r.rank() < 1 || r.dim(-1) < 2) {
    fail<UsageError>("[leave_one_out] rewards {}. Hint: (..., n), with n >= 2.{}", r.shape(), at(rewards.source()));
  }
  return (sum(r, -1, Keep::yes) - r) / static_cast<double>(r.dim(-1) - 1);
}

}  // namespace thalweg
