#pragma once
// Rows of the table of optimizers that own their steps.

#include "optim/row.hpp"
#include "thalweg/methods.hpp"

namespace thalweg::optim {

inline constexpr Range open_unit = {.low = 0, .high = 1, .low_open = true, .high_open = true};
inline constexpr std::string_view decrease_doc =
    "part of the fall promised by the slope that a step must give (Armijo)";
inline constexpr std::string_view curvature_doc = "part of the slope that may be left at a step's end (Wolfe)";
inline constexpr std::string_view evaluations_doc = "in one line search, at most";
inline constexpr std::string_view solver_doc =
    "dense: the Jacobian and a QR factorisation; products: conjugate gradients; auto: dense where residuals are given";
inline constexpr std::string_view iterations_doc =
    "of conjugate gradients in a step, at most; 0: twice as many as there are elements, and 10";

/// An optimizer that is this method, its options checked.
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

/// Texts, and what its method asks for.
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
