#pragma once
// Rows of the table of optimizers that own their steps.

#include "optim/row.hpp"
#include "thalweg/methods.hpp"

namespace thalweg::optim {

inline constexpr Range open_unit = {.low = 0, .high = 1, .low_open = true, .high_open = true};
inline constexpr std::string_view decrease_doc =
    "a step must reach this fraction of the fall that the slope predicts (Armijo)";
inline constexpr std::string_view curvature_doc =
    "largest slope at the end of a step, as a fraction of the slope at its start (Wolfe)";
inline constexpr std::string_view evaluations_doc = "most evaluations in one line search";
inline constexpr std::string_view solver_doc =
    "dense: the Jacobian and a QR factorisation; products: conjugate gradients; auto: dense where the method is given "
    "residuals";
inline constexpr std::string_view iterations_doc =
    "most iterations of conjugate gradients in a step; 0: twice the number of elements, plus 10";

/// Checks the options and wraps the method as an optimizer.
template <class M, class Options>
Optimizer method_optimizer(std::string name, Options options) {
  check_fields(fields(options), name);
  Optimizer optimizer;
  optimizer.name = std::move(name);
  optimizer.options = values_of(options);
  optimizer.method = std::make_shared<const M>(options);
  optimizer.lr = 1;
  return optimizer;
}

/// The row of a method: the texts given, and what the method itself says that it needs.
template <class Options>
OptimizerRow method_row(Optimizer (*make)(Options), OptimizerRow texts) {
  const std::shared_ptr<const Method> method = make(Options{}).method;
  texts.needs = method->needs();
  texts.keeps_bounds = method->keeps_bounds();
  texts.owns_steps = true;
  texts.passes = 0;
  return row(make, std::move(texts));
}

}  // namespace thalweg::optim
