#include "optim/row.hpp"

namespace thalweg {

const std::vector<OptimizerRow>& optimizers() {
  static const std::vector<OptimizerRow> rows = {
      optim::sgd_row(),
      optim::adam_row(),
      optim::adamw_row(),
  };
  return rows;
}

const OptimizerRow& optimizer_named(const std::string& name) { return row_named(optimizers(), "optimizer", name); }

}  // namespace thalweg
