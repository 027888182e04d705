#pragma once
// A row of the optimizer table: made from its options struct.

#include "core/rows.hpp"
#include "thalweg/optim.hpp"

namespace thalweg::optim {

/// Texts, and the function that makes the optimizer from its options.
template <class Options>
OptimizerRow row(Optimizer (*make)(Options), OptimizerRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name](const OptionMap& values) { return make(options_from<Options>(values, name)); };
  return texts;
}

/// The usual frame of a method: clipping first, the rate last.
template <class Options>
Optimizer framed(std::string name, const Options& options, std::vector<Transform> method) {
  check_fields(fields(const_cast<Options&>(options)), name);
  std::vector<Transform> all;
  if (options.clip_norm > 0) all.push_back(clip_norm(options.clip_norm));
  for (Transform& transform : method) all.push_back(std::move(transform));
  all.push_back(scale_by_lr(options.lr, options.schedule));
  Optimizer optimizer = chain(std::move(all));
  optimizer.name = std::move(name);
  optimizer.options = values_of(options);
  return optimizer;
}

// The rows, a file each.
[[nodiscard]] OptimizerRow sgd_row();
[[nodiscard]] OptimizerRow adam_row();
[[nodiscard]] OptimizerRow adamw_row();

}  // namespace thalweg::optim
